//! Parsing of a condition: a field, a comparison and a value.

use super::ast::{Comparison, EndSelector, Expr, Predicate};
use super::error::{ParseError, quoted_excerpt};
use super::field::FilterField;
use super::parse::Parser;
use super::state_set::StateSet;
use super::token::{ComparisonOperator, Token, TokenKind};
use super::value::{self, ValueError};
use std::ops::Range;

/// A value as written in the text.
struct RawValue {
    text: String,
    span: Range<usize>,
    quoted: bool,
}

/// A field, its comparison and its value.
struct FieldCondition {
    field: FilterField,
    operator: ComparisonOperator,
    value: RawValue,
}

impl FieldCondition {
    /// True if it removes states instead of adding them.
    fn is_exclusion(&self) -> bool {
        (self.field == FilterField::Exclude) != self.operator.negated
    }
}

impl<'t> Parser<'t> {
    /// Parses the condition that begins with the name of a field. None if the
    /// word names none, or one that without a value is just a word.
    pub(super) fn parse_field_condition(
        &mut self,
        word: &'t str,
        span: &Range<usize>,
    ) -> Result<Option<Expr>, ParseError> {
        let Some(question) = self.parse_condition(word, span)? else {
            return Ok(None);
        };
        let expr = match question.field {
            FilterField::State | FilterField::Exclude => self.parse_state_conditions(question)?,
            _ => self.build_expr(&question)?,
        };
        Ok(Some(expr))
    }

    /// Parses a condition from here on: `port:443`, `port = 443`, `port 443`,
    /// `:443`.
    fn parse_condition(
        &mut self,
        word: &'t str,
        span: &Range<usize>,
    ) -> Result<Option<FieldCondition>, ParseError> {
        if let Some(field) = FilterField::from_word(word) {
            return self.parse_after_space(field, word, span);
        }
        let Some((key, text)) = word.split_once(':') else {
            return Ok(None);
        };
        let field = match key {
            // Two colons begin an IPv6 address, such as ::1.
            "" if text.starts_with(':') => None,
            "" => Some(FilterField::Port(EndSelector::Unspecified)),
            key => FilterField::from_word(key),
        };
        let Some(field) = field else {
            return Ok(None);
        };
        let question = if text.is_empty() {
            self.parse_after_colon(field, word, span)?
        } else {
            FieldCondition {
                field,
                operator: ComparisonOperator::EQUAL,
                value: RawValue {
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
    fn parse_after_space(
        &mut self,
        field: FilterField,
        word: &str,
        span: &Range<usize>,
    ) -> Result<Option<FieldCondition>, ParseError> {
        let operator = match self.peek().kind {
            TokenKind::Sign(operator) => Some(operator),
            TokenKind::Word(next) => ComparisonOperator::from_word(next),
            _ => None,
        };
        if operator.is_some() {
            self.next();
        } else if !field.requires_value() && !self.value_follows(field) {
            return Ok(None);
        } else if field.requires_operator() {
            let example = field.example();
            let message = format!(
                "{} needs a comparison, as in `{example}`",
                quoted_excerpt(word)
            );
            return Err(self.error(span.clone(), message));
        }
        Ok(Some(FieldCondition {
            field,
            operator: operator.unwrap_or(ComparisonOperator::EQUAL),
            value: self.parse_value(field, word)?,
        }))
    }

    /// True if the token after a field name can be its value. If the field needs
    /// an operator, only a number is taken for a value.
    fn value_follows(&self, field: FilterField) -> bool {
        match self.peek().kind {
            TokenKind::Word(next) => {
                !field.requires_operator() || next.starts_with(|first: char| first.is_ascii_digit())
            }
            TokenKind::Quoted(text) => !field.requires_operator() && !text.is_empty(),
            _ => false,
        }
    }

    /// Parses the part after a field name that ends in a colon: a quotation, or
    /// an operator and a value, without a space before it.
    fn parse_after_colon(
        &mut self,
        field: FilterField,
        word: &str,
        span: &Range<usize>,
    ) -> Result<FieldCondition, ParseError> {
        let next = self.peek();
        let operator = match next.kind {
            TokenKind::Quoted(_) if next.span.start == span.end => ComparisonOperator::EQUAL,
            TokenKind::Sign(operator) if next.span.start == span.end => {
                self.next();
                operator
            }
            _ => {
                let example = field.example();
                let message = format!("{} has no value, as in `{example}`", quoted_excerpt(word));
                return Err(self.error(span.clone(), message));
            }
        };
        Ok(FieldCondition {
            field,
            operator,
            value: self.parse_value(field, word)?,
        })
    }

    /// Parses the value that must follow a field.
    fn parse_value(&mut self, field: FilterField, word: &str) -> Result<RawValue, ParseError> {
        let Token { kind, span } = self.next();
        let (text, quoted) = match kind {
            TokenKind::Word(text) => (text.to_owned(), false),
            TokenKind::Quoted(text) if !text.is_empty() => (text, true),
            _ => {
                let message = format!(
                    "{} needs a value, as in `{}`",
                    quoted_excerpt(word),
                    field.example()
                );
                return Err(self.error(span, message));
            }
        };
        Ok(RawValue { text, span, quoted })
    }

    /// Parses a run of `state` and `exclude`, which makes one set, as in ss:
    /// `state a state b` is either of them, and `state connected exclude a` is
    /// without it.
    fn parse_state_conditions(&mut self, first: FieldCondition) -> Result<Expr, ParseError> {
        let mut question = first;
        let mut set = if question.is_exclusion() {
            StateSet::ALL
        } else {
            StateSet::NONE
        };
        loop {
            self.check_operator(&question)?;
            let mut named = StateSet::NONE;
            for piece in self.split_list(&question)? {
                let more = value::parse_state(&piece.text);
                named = named.union(more.map_err(|flaw| self.value_error(&piece, flaw))?);
            }
            set = if question.is_exclusion() {
                set.difference(named)
            } else {
                set.union(named)
            };
            match self.next_state_condition()? {
                Some(next) => question = next,
                None => return Ok(Expr::Leaf(Predicate::States(set))),
            }
        }
    }

    fn next_state_condition(&mut self) -> Result<Option<FieldCondition>, ParseError> {
        let Token { kind, span } = self.peek();
        let TokenKind::Word(word) = kind else {
            return Ok(None);
        };
        let key = word.split(':').next().unwrap_or(word);
        if !matches!(
            FilterField::from_word(key),
            Some(FilterField::State | FilterField::Exclude)
        ) {
            return Ok(None);
        }
        self.next();
        self.parse_condition(word, &span)
    }

    /// Builds the expression of a condition other than on states.
    fn build_expr(&self, question: &FieldCondition) -> Result<Expr, ParseError> {
        self.check_operator(question)?;
        let ComparisonOperator {
            comparison: compare,
            negated,
        } = question.operator;
        let mut parts = Vec::new();
        for piece in self.split_list(question)? {
            let part = value::parse_value(question.field, compare, &piece.text, piece.quoted);
            parts.push(part.map_err(|flaw| self.value_error(&piece, flaw))?);
        }
        let expr = Expr::or(parts);
        // In canonical form, a list takes parentheses and `!=` a `not`.
        let joined = !matches!(expr, Expr::Leaf(_));
        self.check_depth(
            &question.value.span,
            usize::from(joined) + usize::from(negated),
        )?;
        Ok(if negated { expr.not() } else { expr })
    }

    fn check_operator(&self, question: &FieldCondition) -> Result<(), ParseError> {
        let field = question.field;
        if question.operator.comparison == Comparison::Equal || field.is_ordered() {
            return Ok(());
        }
        let message = format!("`{}` can only be compared with = and !=", field.word());
        Err(self.error(question.value.span.clone(), message))
    }

    /// Splits a list with commas into its values.
    fn split_list(&self, question: &FieldCondition) -> Result<Vec<RawValue>, ParseError> {
        let RawValue { text, span, quoted } = &question.value;
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
                Ok(RawValue {
                    text: piece.to_owned(),
                    // Escapes make a quotation longer than its text.
                    span: if *quoted { span.clone() } else { place },
                    quoted: *quoted,
                })
            })
            .collect()
    }

    /// Returns the parse error for a wrong value.
    fn value_error(&self, value: &RawValue, flaw: ValueError) -> ParseError {
        self.error(value.span.clone(), flaw.message)
            .with_suggestion(flaw.suggestion)
    }
}
