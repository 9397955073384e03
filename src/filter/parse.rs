//! Recursive-descent parser from the text of a filter to its tree.
//!
//! `not` binds tightest, then `and` (which may be left out), then `or`.

use super::ast::{EndSelector, Expr, Predicate};
use super::error::{ParseError, quoted_excerpt};
use super::field::FilterField;
use super::state_set::StateSet;
use super::token::{Token, TokenKind, tokenize};
use super::value;
use crate::model::state::State;
use std::ops::Range;

/// Maximum nesting of parentheses and negations. The tree is walked by recursion,
/// so that this bounds the stack.
const MAX_DEPTH: usize = 64;

/// Parses a filter; none if the text is empty.
pub(super) fn parse(text: &str) -> Result<Option<Expr>, ParseError> {
    let mut parser = Parser {
        text,
        tokens: tokenize(text)?,
        position: 0,
        depth: 0,
    };
    if parser.peek().kind == TokenKind::End {
        return Ok(None);
    }
    let expr = parser.parse_or()?;
    match parser.next() {
        Token {
            kind: TokenKind::End,
            ..
        } => Ok(Some(expr)),
        surplus => Err(parser.error(surplus.span, "this parenthesis closes nothing")),
    }
}

/// State of the parser.
pub(super) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token<'t>>,
    position: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Returns the next token without consuming it.
    pub(super) fn peek(&self) -> Token<'t> {
        let end = || Token {
            kind: TokenKind::End,
            span: self.text.len()..self.text.len(),
        };
        self.tokens.get(self.position).cloned().unwrap_or_else(end)
    }

    pub(super) fn next(&mut self) -> Token<'t> {
        let token = self.peek();
        self.position += 1;
        token
    }

    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// Parses expressions with `or` between them.
    fn parse_or(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.parse_and()?];
        while self.peek().kind == TokenKind::Or {
            self.next();
            parts.push(self.parse_and()?);
        }
        Ok(Expr::or(parts))
    }

    /// Parses expressions with `and` or nothing between them.
    fn parse_and(&mut self) -> Result<Expr, ParseError> {
        let mut parts = vec![self.parse_term()?];
        loop {
            match self.peek().kind {
                TokenKind::Or | TokenKind::Close | TokenKind::End => return Ok(Expr::and(parts)),
                TokenKind::And => {
                    self.next();
                }
                _ => {}
            }
            parts.push(self.parse_term()?);
        }
    }

    /// Parses one expression with its negation.
    fn parse_term(&mut self) -> Result<Expr, ParseError> {
        let Token { kind, span } = self.next();
        match kind {
            TokenKind::Open => {
                self.check_depth(&span, 1)?;
                self.depth += 1;
                let inner = self.parse_or()?;
                self.depth -= 1;
                if self.next().kind == TokenKind::Close {
                    Ok(inner)
                } else {
                    Err(self.error(span, "this parenthesis is never closed"))
                }
            }
            TokenKind::Not => {
                self.check_depth(&span, 1)?;
                self.depth += 1;
                let inner = self.parse_term()?;
                self.depth -= 1;
                Ok(inner.not())
            }
            TokenKind::Quoted(text) if text.is_empty() => {
                Err(self.error(span, "there is nothing between the quotation marks"))
            }
            TokenKind::Quoted(text) => Ok(Expr::Leaf(Predicate::Text(text))),
            TokenKind::Word(word) => self.parse_word(word, span),
            TokenKind::Sign(_) => Err(self.error(
                span,
                "a comparison needs a field before it, as in `sport = :443`",
            )),
            TokenKind::Close | TokenKind::And | TokenKind::Or | TokenKind::End => {
                Err(self.missing_operand(span))
            }
        }
    }

    /// Fails if that many further levels exceed the maximum.
    pub(super) fn check_depth(&self, span: &Range<usize>, levels: usize) -> Result<(), ParseError> {
        if self.depth + levels <= MAX_DEPTH {
            return Ok(());
        }
        let message = format!("more than {MAX_DEPTH} levels of parentheses and negations");
        Err(self.error(span.clone(), message))
    }

    /// Returns the error of a missing operand at `span`.
    fn missing_operand(&self, span: Range<usize>) -> ParseError {
        let found = self.text.get(span.clone()).unwrap_or_default();
        // The token before the one just taken.
        let before = self.position.checked_sub(2).and_then(|place| {
            let token = self.tokens.get(place)?;
            self.text.get(token.span.clone())
        });
        let message = match before {
            Some(before) if found.is_empty() => {
                format!("something is missing after {}", quoted_excerpt(before))
            }
            _ => format!("something is missing before {}", quoted_excerpt(found)),
        };
        self.error(span, message)
    }

    /// Parses an expression that begins with a word.
    fn parse_word(&mut self, word: &'t str, span: Range<usize>) -> Result<Expr, ParseError> {
        if let Some(expr) = self.parse_field_condition(word, &span)? {
            return Ok(expr);
        }
        if let TokenKind::Sign(_) = self.peek().kind {
            let message = format!("{} cannot be compared", quoted_excerpt(word));
            return Err(self.unknown_field(word, span, message));
        }
        let endpoint = value::parse_endpoint(word).map_err(|flaw| {
            self.error(span.clone(), flaw.message)
                .with_suggestion(flaw.suggestion)
        })?;
        if let Some(endpoint) = endpoint {
            return Ok(endpoint);
        }
        match word.split_once(':') {
            Some(_) if value::could_be_address_part(word) => {
                Ok(Expr::Leaf(Predicate::Text(word.to_owned())))
            }
            Some((key, _)) if value::is_host_name_with_port(word) => {
                let message = format!(
                    "{} is not an IP address; names are not looked up",
                    quoted_excerpt(key)
                );
                Err(self.error(span.start..span.start + key.len(), message))
            }
            Some((key, _)) => {
                let key_span = span.start..span.start + key.len();
                Err(self.unknown_field(
                    key,
                    key_span,
                    format!("unknown field {}", quoted_excerpt(key)),
                ))
            }
            None => Ok(parse_bare_word(word)),
        }
    }

    fn unknown_field(&self, word: &str, span: Range<usize>, message: String) -> ParseError {
        let near = FilterField::suggest(word).map(str::to_owned);
        self.error(span, message)
            .with_suggestion(near)
            .with_fields(FilterField::joined_names())
    }
}

/// Parses a word without a field: a protocol, a family, a whole state, a network,
/// or else text to search for.
fn parse_bare_word(word: &str) -> Expr {
    if let Some(expr) = value::parse_protocol(word) {
        return expr;
    }
    Expr::Leaf(if word.eq_ignore_ascii_case(value::AUTOBOUND) {
        Predicate::Autobound
    } else if let Some(family) = value::parse_family(word) {
        Predicate::Family(family)
    } else if let Some(state) = State::from_word(word) {
        Predicate::States(StateSet::single(state))
    } else if let Some(prefix) = value::parse_network(word) {
        Predicate::Host(EndSelector::Unspecified, prefix, None)
    } else {
        Predicate::Text(word.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use crate::filter::Filter;

    /// Text, the wrong part of it, a word of the message, the suggestion.
    type ErrorCase<'c> = (&'c str, &'c str, &'c str, Option<&'c str>);

    #[test]
    fn what_is_neither_field_nor_address_is_an_error() {
        check(&[
            ("src fe80::1%", "fe80::1%", "interface is missing", None),
            ("*:htpp", "*:htpp", "name of a service", None),
            ("127.0.0.1:99999", "127.0.0.1:99999", "above 65535", None),
            ("localhost:80", "localhost", "not looked up", None),
            ("db.example:5432", "db.example", "not looked up", None),
            ("timer:keepalive", "timer", "unknown field", None),
            ("finding:close_wait", "finding", "unknown field", None),
            ("regex:x", "regex", "unknown field", None),
            ("program:python", "program", "unknown field", Some("exe")),
            ("beef:tea", "beef", "unknown field", None),
            ("timer > 5", "timer", "cannot be compared", None),
            ("pid nginx", "nginx", "not a number", None),
            ("family inet66", "inet66", "unknown family", Some("inet6")),
            ("rtt 100ms", "rtt", "needs a comparison", None),
            ("age 5m", "age", "needs a comparison", None),
        ]);
        let error = Filter::parse("regex:x").unwrap_err().to_string();
        assert!(
            error.contains("; fields: state, exclude, port, "),
            "{error}"
        );
        let error = Filter::parse("proces:x").unwrap_err().to_string();
        assert!(
            error.contains("did you mean `process`? Fields: state,"),
            "{error}"
        );
    }

    #[test]
    fn errors_have_span_message_and_suggestion() {
        check(&[
            (
                "state syn_snet",
                "syn_snet",
                "unknown state",
                Some("syn_sent"),
            ),
            (
                "state:estab,lisen",
                "lisen",
                "unknown state",
                Some("listen"),
            ),
            ("state xyzzy", "xyzzy", "unknown state", None),
            ("sport = :70000", ":70000", "above 65535", None),
            ("port:80,htps", "htps", "name of a service", Some("https")),
            (":htpps", "htpps", "name of a service", Some("https")),
            ("sport > :8000-8100", ":8000-8100", "range", None),
            ("port:20-10", "20-10", "backwards", Some("10-20")),
            ("dst 10.0.0.0/33", "10.0.0.0/33", "0 to 32 bits", None),
            ("dst ::/129", "::/129", "0 to 128 bits", None),
            ("dst example", "example", "not an IP address", None),
            ("dst 443", "443", "not an IP address", Some(":443")),
            ("dst [::1", "[::1", "never closed", None),
            ("dst []", "[]", "not an IP address", None),
            ("tcp and (udp or v6", "(", "never closed", None),
            ("tcp)", ")", "closes nothing", None),
            ("tcp ()", ")", "missing before `)`", None),
            ("tcp and", "", "missing after `and`", None),
            ("not", "", "missing after `not`", None),
            ("or tcp", "or", "missing before `or`", None),
            ("tcp and or udp", "or", "missing before `or`", None),
            ("port:", "port:", "has no value", None),
            ("port: 443", "port:", "has no value", None),
            ("state", "", "needs a value", None),
            ("sport = ", "", "needs a value", None),
            ("process:\"\"", "\"\"", "needs a value", None),
            ("sport = and", "and", "needs a value", None),
            ("state:a,,b", "a,,b", "value is missing", None),
            ("dport:", "dport:", "as in `dport = :443`", None),
            ("prot:443", "prot", "unknown field", Some("port")),
            ("proces:nginx", "proces", "unknown field", Some("process")),
            ("recq > 5", "recq", "cannot be compared", Some("recvq")),
            ("= 5", "=", "needs a field", None),
            ("recvq", "recvq", "needs a comparison", None),
            ("recvq > x", "x", "not a number", None),
            (
                "recvq > 99999999999999999999",
                "99999999999999999999",
                "too large",
                None,
            ),
            ("pid:5000000000", "5000000000", "too large", None),
            ("age > 5x", "5x", "not a time", None),
            ("age > ss", "ss", "not a time", None),
            (
                "age > 999999999999999999d",
                "999999999999999999d",
                "too large",
                None,
            ),
            ("rtt > 100", "100", "round-trip time", None),
            ("rtt > 1h", "1h", "round-trip time", None),
            ("rtt:5xs", "5xs", "round-trip time", None),
            ("rx > 5x", "5x", "not an amount", None),
            ("tx >= kB", "kB", "not an amount", None),
            (
                "tx > 99999999999999999GB",
                "99999999999999999GB",
                "too large",
                None,
            ),
            ("process > a", "a", "only be compared with", None),
            ("state > listen", "listen", "only be compared with", None),
            ("proto:tpc", "tpc", "unknown protocol", Some("tcp")),
            ("\"abc", "\"abc", "never closed", None),
            ("tcp \"\"", "\"\"", "nothing between", None),
        ]);
    }

    fn check(cases: &[ErrorCase<'_>]) {
        for (text, wrong, message, suggestion) in cases {
            let error = Filter::parse(text).expect_err(text);
            assert_eq!(&text[error.span.clone()], *wrong, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
            assert_eq!(error.suggestion.as_deref(), *suggestion, "{text}: {error}");
            if let Some(word) = suggestion {
                let mut mended = (*text).to_owned();
                mended.replace_range(error.span.clone(), word);
                Filter::parse(&mended).unwrap_or_else(|error| panic!("{mended}: {error}"));
            }
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |levels: usize| format!("{}tcp{}", "(".repeat(levels), ")".repeat(levels));
        assert!(Filter::parse(&deep(64)).is_ok());
        let error = Filter::parse(&deep(65)).unwrap_err();
        assert_eq!(error.span, 64..65);
        assert!(Filter::parse(&deep(1_000_000)).is_err());
        assert!(Filter::parse(&"!".repeat(1_000_000)).is_err());
        // Every accepted filter can be printed and parsed again.
        for last in [
            "tcp",
            "dst != ::1",
            "state:listen",
            "port:1,2",
            "proto:tcp6",
        ] {
            for levels in 60..=65 {
                let text = format!("{}{last}", "not ".repeat(levels));
                if let Ok(filter) = Filter::parse(&text) {
                    assert_eq!(Filter::parse(&filter.to_string()).unwrap(), filter);
                }
            }
        }
        // A long filter is not a deep one.
        let long = vec!["tcp"; 100_000].join(" ");
        assert!(Filter::parse(&long).unwrap().to_string().ends_with("tcp"));
    }
}
