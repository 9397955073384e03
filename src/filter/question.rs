//! Parsing of a condition: a field, a comparison and a value.

use super::ast::{Compare, End, Expr, Test};
use super::error::{ParseError, shown};
use super::field::Field;
use super::parse::Parser;
use super::states::States;
use super::token::{Kind, Operator, Token};
use super::value::{self, Flaw};
use std::ops::Range;

/// A value as written in the text.
struct Value {
    text: String,
    span: Range<usize>,
    quoted: bool,
}

/// A field, its comparison and its value.
struct Question {
    field: Field,
    operator: Operator,
    value: Value,
}

impl Question {
    /// True if it removes states instead of adding them.
    fn excludes(&self) -> bool {
        (self.field == Field::Exclude) != self.operator.negated
    }
}

impl<'t> Parser<'t> {
    /// Parses the condition that begins with the name of a field. None if the
    /// word names none, or one that without a value is just a word.
    pub(super) fn field_condition(
        &mut self,
        word: &'t str,
        span: &Range<usize>,
    ) -> Result<Option<Expr>, ParseError> {
        let Some(question) = self.question(word, span)? else {
            return Ok(None);
        };
        let expr = match question.field {
            Field::State | Field::Exclude => self.states(question)?,
            _ => self.answer(&question)?,
        };
        Ok(Some(expr))
    }

    /// Parses a condition from here on: `port:443`, `port = 443`, `port 443`,
    /// `:443`.
    fn question(
        &mut self,
        word: &'t str,
        span: &Range<usize>,
    ) -> Result<Option<Question>, ParseError> {
        if let Some(field) = Field::from_word(word) {
            return self.spaced(field, word, span);
        }
        let Some((key, text)) = word.split_once(':') else {
            return Ok(None);
        };
        let field = match key {
            // Two colons begin an IPv6 address, such as ::1.
            "" if text.starts_with(':') => None,
            "" => Some(Field::Port(End::Either)),
            key => Field::from_word(key),
        };
        let Some(field) = field else {
            return Ok(None);
        };
        let question = if text.is_empty() {
            self.glued(field, word, span)?
        } else {
            Question {
                field,
                operator: Operator::EQUAL,
                value: Value {
                    text: text.to_owned(),
                    span: span.end - text.len()..span.end,
                    quoted: false,
                },
            }
        };
        Ok(Some(question))
    }

    /// Parses the part after a field name without a colon: an operator and a
    /// value, or only the value if the field needs no operator.
    fn spaced(
        &mut self,
        field: Field,
        word: &str,
        span: &Range<usize>,
    ) -> Result<Option<Question>, ParseError> {
        let operator = match self.peek().kind {
            Kind::Sign(operator) => Some(operator),
            Kind::Word(next) => Operator::from_word(next),
            _ => None,
        };
        if operator.is_some() {
            self.next();
        } else if !field.stands_alone() && !self.value_follows(field) {
            return Ok(None);
        } else if field.needs_sign() {
            let example = field.example();
            let message = format!("{} needs a comparison, as in `{example}`", shown(word));
            return Err(self.error(span.clone(), message));
        }
        Ok(Some(Question {
            field,
            operator: operator.unwrap_or(Operator::EQUAL),
            value: self.operand(field, word)?,
        }))
    }

    /// True if the token after a field name can be its value. If the field needs
    /// an operator, only a number is taken for a value.
    fn value_follows(&self, field: Field) -> bool {
        match self.peek().kind {
            Kind::Word(next) => {
                !field.needs_sign() || next.starts_with(|first: char| first.is_ascii_digit())
            }
            Kind::Quoted(text) => !field.needs_sign() && !text.is_empty(),
            _ => false,
        }
    }

    /// Parses the part after a field name that ends in a colon: a quotation, or
    /// an operator and a value, without a space before it.
    fn glued(
        &mut self,
        field: Field,
        word: &str,
        span: &Range<usize>,
    ) -> Result<Question, ParseError> {
        let next = self.peek();
        let operator = match next.kind {
            Kind::Quoted(_) if next.span.start == span.end => Operator::EQUAL,
            Kind::Sign(operator) if next.span.start == span.end => {
                self.next();
                operator
            }
            _ => {
                let example = field.example();
                let message = format!("{} has no value, as in `{example}`", shown(word));
                return Err(self.error(span.clone(), message));
            }
        };
        Ok(Question {
            field,
            operator,
            value: self.operand(field, word)?,
        })
    }

    /// Parses the value that must follow a field.
    fn operand(&mut self, field: Field, word: &str) -> Result<Value, ParseError> {
        let Token { kind, span } = self.next();
        let (text, quoted) = match kind {
            Kind::Word(text) => (text.to_owned(), false),
            Kind::Quoted(text) if !text.is_empty() => (text, true),
            _ => {
                let message = format!("{} needs a value, as in `{}`", shown(word), field.example());
                return Err(self.error(span, message));
            }
        };
        Ok(Value { text, span, quoted })
    }

    /// Parses a run of `state` and `exclude`, which makes one set, as in ss:
    /// `state a state b` is either of them, and `state connected exclude a` is
    /// without it.
    fn states(&mut self, first: Question) -> Result<Expr, ParseError> {
        let mut question = first;
        let mut set = if question.excludes() {
            States::ALL
        } else {
            States::NONE
        };
        loop {
            self.check_operator(&question)?;
            let mut named = States::NONE;
            for piece in self.pieces(&question)? {
                let more = value::states(&piece.text);
                named = named.with(more.map_err(|flaw| self.flaw(&piece, flaw))?);
            }
            set = if question.excludes() {
                set.without(named)
            } else {
                set.with(named)
            };
            match self.more_states()? {
                Some(next) => question = next,
                None => return Ok(Expr::Is(Test::States(set))),
            }
        }
    }

    fn more_states(&mut self) -> Result<Option<Question>, ParseError> {
        let Token { kind, span } = self.peek();
        let Kind::Word(word) = kind else {
            return Ok(None);
        };
        let key = word.split(':').next().unwrap_or(word);
        if !matches!(Field::from_word(key), Some(Field::State | Field::Exclude)) {
            return Ok(None);
        }
        self.next();
        self.question(word, &span)
    }

    /// Builds the expression of a condition other than on states.
    fn answer(&self, question: &Question) -> Result<Expr, ParseError> {
        self.check_operator(question)?;
        let Operator { compare, negated } = question.operator;
        let mut parts = Vec::new();
        for piece in self.pieces(question)? {
            let part = value::condition(question.field, compare, &piece.text, piece.quoted);
            parts.push(part.map_err(|flaw| self.flaw(&piece, flaw))?);
        }
        let expr = Expr::or(parts);
        // In canonical form, a list takes parentheses and `!=` a `not`.
        let joined = !matches!(expr, Expr::Is(_));
        self.descend(
            &question.value.span,
            usize::from(joined) + usize::from(negated),
        )?;
        Ok(if negated { expr.not() } else { expr })
    }

    fn check_operator(&self, question: &Question) -> Result<(), ParseError> {
        let field = question.field;
        if question.operator.compare == Compare::Equal || field.is_ordered() {
            return Ok(());
        }
        let message = format!("`{}` can only be compared with = and !=", field.word());
        Err(self.error(question.value.span.clone(), message))
    }

    /// Splits a list with commas into its values.
    fn pieces(&self, question: &Question) -> Result<Vec<Value>, ParseError> {
        let Value { text, span, quoted } = &question.value;
        let parted = !quoted && question.field.takes_lists();
        let mut start = span.start;
        text.split(|character| parted && character == ',')
            .map(|piece| {
                if piece.is_empty() {
                    let example = question.field.example();
                    let message = format!("a value is missing, as in `{example}`");
                    return Err(self.error(span.clone(), message));
                }
                let place = start..start + piece.len();
                start = place.end + 1;
                Ok(Value {
                    text: piece.to_owned(),
                    // Escapes make a quotation longer than its text.
                    span: if *quoted { span.clone() } else { place },
                    quoted: *quoted,
                })
            })
            .collect()
    }

    /// Returns the parse error for a wrong value.
    fn flaw(&self, value: &Value, flaw: Flaw) -> ParseError {
        self.error(value.span.clone(), flaw.message)
            .suggest(flaw.suggestion)
    }
}
