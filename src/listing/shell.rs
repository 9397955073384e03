//! A filter with its toggles as arguments for a shell, so that a shown command
//! can be copied.

use super::{QuickFilter, StateClass};
use crate::filter::Filter;
use crate::model::protocol::{IpFamily, Protocol};

/// Returns the arguments of `tcplens kill` or `tcplens close` that find the same
/// rows: `:8081`, `-t 'port:80 and user:x'`. All rows are found by `state all`,
/// since both commands require a filter.
#[must_use]
pub fn shell_arguments(filter: &Filter, quick: &QuickFilter) -> String {
    let mut words = Vec::new();
    words.extend(quick.protocol.map(|protocol| match protocol {
        Protocol::Tcp => "-t".to_owned(),
        Protocol::Udp => "-u".to_owned(),
    }));
    words.extend(quick.family.map(|family| match family {
        IpFamily::Inet => "-4".to_owned(),
        IpFamily::Inet6 => "-6".to_owned(),
    }));
    let class = match quick.class {
        None => None,
        Some(StateClass::Listening) => {
            words.push("-l".to_owned());
            None
        }
        Some(StateClass::Established) => Some("state established"),
        Some(StateClass::Other) => Some("exclude listen,unconnected,established"),
    };
    let text = filter.to_string();
    let text = match (text.as_str(), class) {
        ("", None) => "state all".to_owned(),
        ("", Some(class)) => class.to_owned(),
        (text, None) => text.to_owned(),
        (text, Some(class)) => format!("({text}) and {class}"),
    };
    words.push(shell_quoted(&text));
    words.join(" ")
}

/// Quotes a text if a shell would change it.
fn shell_quoted(text: &str) -> String {
    if let Some(port) = text.strip_prefix("port:")
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!(":{port}");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":._,/@%+-".contains(&byte);
    if text.bytes().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_copied() {
        let listening = QuickFilter {
            class: Some(StateClass::Listening),
            ..QuickFilter::default()
        };
        let tcp_open = QuickFilter {
            protocol: Some(Protocol::Tcp),
            family: Some(IpFamily::Inet6),
            class: Some(StateClass::Established),
        };
        let other = QuickFilter {
            class: Some(StateClass::Other),
            ..QuickFilter::default()
        };
        let none = QuickFilter::default();
        let cases = [
            (":8081", none, ":8081"),
            ("pid:812", none, "pid:812"),
            (":80 and user:x", none, "'port:80 and user:x'"),
            ("\"it's\"", none, r"'it'\''s'"),
            ("$(reboot)", none, "'$ and reboot'"),
            ("\"$(reboot)\"", none, "'\"$(reboot)\"'"),
            ("", none, "'state all'"),
            ("", listening, "-l 'state all'"),
            ("", tcp_open, "-t -6 'state established'"),
            (
                ":80 or :81",
                tcp_open,
                "-t -6 '(port:80 or port:81) and state established'",
            ),
            ("", other, "'exclude listen,unconnected,established'"),
        ];
        for (text, quick, expected) in cases {
            let filter = Filter::parse(text).unwrap();
            let words = shell_arguments(&filter, &quick);
            assert_eq!(words, expected, "{text}");
            let inner = words.rsplit_once('\'').map_or(words.as_str(), |_| {
                let (_, rest) = words.split_once('\'').unwrap();
                rest.trim_end_matches('\'')
            });
            let read = Filter::parse(&inner.replace(r"'\''", "'"));
            assert!(read.is_ok(), "{words}");
        }
    }
}
