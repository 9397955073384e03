//! From the text of a filter to its tree, by recursive descent.
//!
//! `not` binds tightest, then `and` (which may be left out), then `or`.

use super::ast::{End, Expr, Test};
use super::error::{ParseError, shown};
use super::field::Field;
use super::states::States;
use super::token::{Kind, Token, tokens};
use super::value;
use crate::model::state::State;
use std::ops::Range;

/// How deep parentheses and negations may nest. The tree is walked by
/// recursion, so this bounds the stack.
const DEEPEST: usize = 64;

/// Reads a filter; none where the text is empty.
pub(super) fn parse(text: &str) -> Result<Option<Expr>, ParseError> {
    let mut parser = Parser {
        text,
        tokens: tokens(text)?,
        place: 0,
        depth: 0,
    };
    if parser.peek().kind == Kind::End {
        return Ok(None);
    }
    let expr = parser.either()?;
    match parser.next() {
        Token {
            kind: Kind::End, ..
        } => Ok(Some(expr)),
        surplus => Err(parser.error(surplus.span, "this parenthesis closes nothing")),
    }
}

/// Where the reading stands.
pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    place: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// The next token, left where it is.
    pub(super) fn peek(&self) -> Token<'t> {
        let end = || Token {
            kind: Kind::End,
            span: self.text.len()..self.text.len(),
        };
        self.tokens.get(self.place).cloned().unwrap_or_else(end)
    }

    pub(super) fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.place += 1;
        token
    }

    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// Conditions with `or` between them.
    fn either(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.both()?];
        while self.peek().kind == Kind::Or {
            self.next();
            parts.push(self.both()?);
        }
        Ok(Expr::or(parts))
    }

    /// Conditions with `and` or nothing between them.
    fn both(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.term()?];
        loop {
            match self.peek().kind {
                Kind::Or | Kind::Close | Kind::End => return Ok(Expr::and(parts)),
                Kind::And => {
                    self.next();
                }
                _ => {}
            }
            parts.push(self.term()?);
        }
    }

    /// One condition, with what negates it.
    fn term(&mut self) -> Result<Expr, ParseError> {
        let Token { kind, span } = self.next();
        match kind {
            Kind::Open => {
                self.descend(&span, 1)?;
                self.depth += 1;
                let inner = self.either()?;
                self.depth -= 1;
                if self.next().kind == Kind::Close {
                    Ok(inner)
                } else {
                    Err(self.error(span, "this parenthesis is never closed"))
                }
            }
            Kind::Not => {
                self.descend(&span, 1)?;
                self.depth += 1;
                let inner = self.term()?;
                self.depth -= 1;
                Ok(inner.not())
            }
            Kind::Quoted(text) if text.is_empty() => {
                Err(self.error(span, "there is nothing between the quotation marks"))
            }
            Kind::Quoted(text) => Ok(Expr::Is(Test::Text(text))),
            Kind::Word(word) => self.word(word, span),
            Kind::Sign(_) => Err(self.error(
                span,
                "a comparison needs a field before it, as in `sport = :443`",
            )),
            Kind::Close | Kind::And | Kind::Or | Kind::End => Err(self.missing(span)),
        }
    }

    /// Refuses to go that many levels deeper than allowed.
    pub(super) fn descend(&self, span: &Range<usize>, levels: usize) -> Result<(), ParseError> {
        if self.depth + levels <= DEEPEST {
            return Ok(());
        }
        let message = format!("more than {DEEPEST} levels of parentheses and negations");
        Err(self.error(span.clone(), message))
    }

    /// A condition was expected where `span` is.
    fn missing(&self, span: Range<usize>) -> ParseError {
        let found = self.text.get(span.clone()).unwrap_or_default();
        // The token before the one just taken.
        let before = self.place.checked_sub(2).and_then(|place| {
            let token = self.tokens.get(place)?;
            self.text.get(token.span.clone())
        });
        let message = match before {
            Some(before) if found.is_empty() => {
                format!("something is missing after {}", shown(before))
            }
            _ => format!("something is missing before {}", shown(found)),
        };
        self.error(span, message)
    }

    /// A condition that begins with a word.
    fn word(&mut self, word: &'t str, span: Range<usize>) -> Result<Expr, ParseError> {
        if let Some(expr) = self.field_condition(word, &span)? {
            return Ok(expr);
        }
        if let Kind::Sign(_) = self.peek().kind {
            let message = format!("{} cannot be compared", shown(word));
            let near = Field::nearest(word).map(str::to_owned);
            return Err(self.error(span, message).suggest(near));
        }
        // Most of what has a colon and no field is an address.
        let key = word.split_once(':').map_or("", |(key, _)| key);
        let hexadecimal = key.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(near) = Field::nearest(key).filter(|_| !hexadecimal) {
            let key_span = span.start..span.start + key.len();
            let message = format!("unknown field {}", shown(key));
            return Err(self.error(key_span, message).suggest(Some(near.to_owned())));
        }
        Ok(bare(word))
    }
}

/// A word that belongs to no field: a protocol, a family, a whole state, a
/// network, or else what is looked for in all that is shown.
fn bare(word: &str) -> Expr {
    if let Some(expr) = value::protocol(word) {
        return expr;
    }
    Expr::Is(if let Some(family) = value::family(word) {
        Test::Family(family)
    } else if let Some(state) = State::from_word(word) {
        Test::States(States::one(state))
    } else if let Some(prefix) = value::network(word) {
        Test::Host(End::Either, prefix, None)
    } else {
        Test::Text(word.to_owned())
    })
}
