//! Every construct of the grammar against the fixture.

use super::test_world::{
    AVAHI_UDP, CURL_SYN_SENT, CURL_TIME_WAIT, HALF_OPEN, HIDDEN_OWNER, JAVA_CLOSE_WAIT, LINK_LOCAL,
    NGINX_CONNECTION, NGINX_LISTENER, RESOLVER_UDP, SSH_LISTENER, UNKNOWN_STATE, with_openers,
    world,
};
use super::{Filter, Matcher, Truth};
use std::sync::Arc;

fn matching_rows(text: &str) -> Vec<u32> {
    let world = world();
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let matcher = Matcher::new(&filter, &world);
    let found: Vec<u32> = (0_u32..)
        .zip(world.rows.iter())
        .filter(|(_, row)| matcher.matches(row))
        .map(|(number, _)| number)
        .collect();
    for (number, row) in (0_u32..).zip(world.rows.iter()) {
        assert_eq!(
            filter.matches(row, &world),
            found.contains(&number),
            "{text}"
        );
    }
    let again = Filter::parse(&filter.to_string()).unwrap();
    assert_eq!(again, filter, "{text} printed as {filter}");
    found
}

/// Every row but these.
fn all_rows_except(rows: &[u32]) -> Vec<u32> {
    (0..12).filter(|number| !rows.contains(number)).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn ss_grammar() {
    let cases: &[(&str, &[u32])] = &[
        ("state syn-sent", &[CURL_SYN_SENT]),
        ("state SYN_SENT", &[CURL_SYN_SENT]),
        ("state listening", &[SSH_LISTENER, NGINX_LISTENER]),
        ("state bucket", &[CURL_TIME_WAIT, HALF_OPEN]),
        (
            "state connected",
            &all_rows_except(&[SSH_LISTENER, AVAHI_UDP, NGINX_LISTENER]),
        ),
        (
            "state synchronized",
            &all_rows_except(&[SSH_LISTENER, AVAHI_UDP, NGINX_LISTENER, CURL_SYN_SENT]),
        ),
        ("state big", &all_rows_except(&[CURL_TIME_WAIT, HALF_OPEN])),
        ("state all", &all_rows_except(&[])),
        ("state unknown", &[UNKNOWN_STATE]),
        (
            "exclude listen",
            &all_rows_except(&[SSH_LISTENER, NGINX_LISTENER]),
        ),
        (
            "state != listen",
            &all_rows_except(&[SSH_LISTENER, NGINX_LISTENER]),
        ),
        (
            "state syn-sent state time-wait",
            &[CURL_SYN_SENT, CURL_TIME_WAIT],
        ),
        ("state bucket exclude time-wait sport = :443", &[HALF_OPEN]),
        ("state syn-sent and state time-wait", &[]),
        (
            "sport = :443",
            &[NGINX_CONNECTION, HALF_OPEN, NGINX_LISTENER],
        ),
        ("sport :443", &[NGINX_CONNECTION, HALF_OPEN, NGINX_LISTENER]),
        ("sport 443", &[NGINX_CONNECTION, HALF_OPEN, NGINX_LISTENER]),
        (
            "sport eq :https",
            &[NGINX_CONNECTION, HALF_OPEN, NGINX_LISTENER],
        ),
        ("dport = https", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("dport == :443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("dport=:443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        (
            "dport != :443",
            &all_rows_except(&[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ),
        (
            "dport ne 443",
            &all_rows_except(&[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ),
        ("dport >= :50122", &[NGINX_CONNECTION, LINK_LOCAL]),
        ("dport > 50122", &[LINK_LOCAL]),
        ("dport gt 50122", &[LINK_LOCAL]),
        ("dport < 53", &[UNKNOWN_STATE]),
        ("dport le 53", &[UNKNOWN_STATE, RESOLVER_UDP]),
        ("dport <= 53", &[UNKNOWN_STATE, RESOLVER_UDP]),
        ("dport > 65535", &[]),
        ("dport < 0", &[]),
        ("src 127.0.0.1", &[HIDDEN_OWNER]),
        ("src = 127.0.0.1", &[HIDDEN_OWNER]),
        ("src 127/8", &[HIDDEN_OWNER]),
        ("src 10.0.0.0/8", &[UNKNOWN_STATE]),
        ("dst = 203.0.113.9:443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("dst 203.0.113.9:80", &[]),
        ("dst 203.0.113.0/24:443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("dst [2001:db8::1]:50000", &[JAVA_CLOSE_WAIT]),
        ("dst 2001:db8::1", &[JAVA_CLOSE_WAIT]),
        ("dst [2001:db8::]/32", &[JAVA_CLOSE_WAIT]),
        ("dst [2001:db8::/32]:50000", &[JAVA_CLOSE_WAIT]),
        ("dst 2001:db8::/32", &[JAVA_CLOSE_WAIT]),
        ("dst ::/0", &[JAVA_CLOSE_WAIT, LINK_LOCAL]),
        ("dst ::ffff:10.0.0.0/104", &[UNKNOWN_STATE]),
        ("dst :443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("dst *:443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("dst *", &all_rows_except(&[])),
        // A row without a peer has no remote end to be within it.
        (
            "dst 0.0.0.0/0",
            &all_rows_except(&[
                SSH_LISTENER,
                NGINX_LISTENER,
                AVAHI_UDP,
                JAVA_CLOSE_WAIT,
                LINK_LOCAL,
            ]),
        ),
        (
            "dst != 203.0.113.9",
            &all_rows_except(&[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ),
        (
            "not dst 203.0.113.9",
            &all_rows_except(&[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ),
        (
            "state time-wait or sport = :22",
            &[SSH_LISTENER, CURL_TIME_WAIT, LINK_LOCAL],
        ),
        // `and` binds tighter than `or`, `not` tighter than both.
        (
            "tcp and sport 22 or udp",
            &[SSH_LISTENER, AVAHI_UDP, LINK_LOCAL, RESOLVER_UDP],
        ),
        ("udp or sport 22 v6", &[AVAHI_UDP, LINK_LOCAL, RESOLVER_UDP]),
        ("(udp or sport 22) v6", &[AVAHI_UDP, LINK_LOCAL]),
        ("not tcp and sport 40001", &[RESOLVER_UDP]),
        ("!(tcp && !v6) & sport 5353", &[AVAHI_UDP]),
        ("not not udp", &[AVAHI_UDP, RESOLVER_UDP]),
        (
            "udp || state syn-recv",
            &[AVAHI_UDP, HALF_OPEN, RESOLVER_UDP],
        ),
    ];
    for (text, rows) in cases {
        assert_eq!(matching_rows(text), *rows, "{text}");
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn short_forms() {
    let cases: &[(&str, &[u32])] = &[
        ("", &all_rows_except(&[])),
        ("  \t ", &all_rows_except(&[])),
        (
            "port:443",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                NGINX_LISTENER,
            ],
        ),
        (
            "port:https",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                NGINX_LISTENER,
            ],
        ),
        (
            ":443",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                NGINX_LISTENER,
            ],
        ),
        (
            "either :443",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                NGINX_LISTENER,
            ],
        ),
        (":ssh", &[SSH_LISTENER, LINK_LOCAL]),
        ("port 22", &[SSH_LISTENER, LINK_LOCAL]),
        ("port:8000-8100", &[JAVA_CLOSE_WAIT]),
        ("port:22,8080", &[SSH_LISTENER, JAVA_CLOSE_WAIT, LINK_LOCAL]),
        (
            "port != 443",
            &all_rows_except(&[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                NGINX_LISTENER,
            ]),
        ),
        ("port < 10", &[UNKNOWN_STATE]),
        ("sport:22", &[SSH_LISTENER, LINK_LOCAL]),
        ("dport:53", &[RESOLVER_UDP]),
        ("src:10.0.0.0/8", &[UNKNOWN_STATE]),
        ("dst:[2001:db8::1]:50000", &[JAVA_CLOSE_WAIT]),
        ("host:192.0.2.53", &[RESOLVER_UDP]),
        ("host:127.0.0.1", &[HIDDEN_OWNER]),
        ("host 127.0.0.1:40000", &[HIDDEN_OWNER]),
        (
            "192.0.2.0/27",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                RESOLVER_UDP,
            ],
        ),
        ("process:NGINX", &[NGINX_CONNECTION, NGINX_LISTENER]),
        ("process:curl", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        // The base name of the program, in any case, but not its folders.
        ("process:launcher", &[JAVA_CLOSE_WAIT]),
        ("process:浏览器", &[]),
        ("process:\"systemd-res\"", &[RESOLVER_UDP]),
        ("process = ssh", &[SSH_LISTENER, LINK_LOCAL]),
        ("pid:813", &[NGINX_CONNECTION, NGINX_LISTENER]),
        ("pid:4711", &[CURL_SYN_SENT]),
        ("pid:81", &[]),
        ("user:www-data", &[NGINX_CONNECTION, HIDDEN_OWNER]),
        ("user:33", &[NGINX_CONNECTION, HIDDEN_OWNER]),
        ("uid:33", &[NGINX_CONNECTION, HIDDEN_OWNER]),
        ("user:alice", &[CURL_SYN_SENT, JAVA_CLOSE_WAIT]),
        (
            "user:www-data,alice",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                JAVA_CLOSE_WAIT,
                HIDDEN_OWNER,
            ],
        ),
        // Rows without a holder have no true user, and do not belong to root.
        (
            "user:root",
            &[SSH_LISTENER, LINK_LOCAL, UNKNOWN_STATE, NGINX_LISTENER],
        ),
        (
            "uid:0",
            &[SSH_LISTENER, LINK_LOCAL, UNKNOWN_STATE, NGINX_LISTENER],
        ),
        ("uid:70", &[AVAHI_UDP]),
        (
            "state:established",
            &[NGINX_CONNECTION, HIDDEN_OWNER, LINK_LOCAL, RESOLVER_UDP],
        ),
        (
            "state:syn_sent,close_wait",
            &[CURL_SYN_SENT, JAVA_CLOSE_WAIT],
        ),
        (
            "state:bucket,listen",
            &[SSH_LISTENER, CURL_TIME_WAIT, HALF_OPEN, NGINX_LISTENER],
        ),
        ("proto:udp", &[AVAHI_UDP, RESOLVER_UDP]),
        ("udp", &[AVAHI_UDP, RESOLVER_UDP]),
        ("proto:udp6", &[AVAHI_UDP]),
        ("tcp6", &[JAVA_CLOSE_WAIT, LINK_LOCAL]),
        ("proto != tcp", &[AVAHI_UDP, RESOLVER_UDP]),
        ("v6", &[JAVA_CLOSE_WAIT, AVAHI_UDP, LINK_LOCAL]),
        ("ipv6", &[JAVA_CLOSE_WAIT, AVAHI_UDP, LINK_LOCAL]),
        ("inet6", &[JAVA_CLOSE_WAIT, AVAHI_UDP, LINK_LOCAL]),
        ("udp v4", &[RESOLVER_UDP]),
        ("udp inet", &[RESOLVER_UDP]),
        ("inode:101", &[NGINX_CONNECTION]),
        ("recvq > 3", &[NGINX_CONNECTION, JAVA_CLOSE_WAIT]),
        (
            "recvq>=3",
            &[SSH_LISTENER, NGINX_CONNECTION, JAVA_CLOSE_WAIT],
        ),
        ("recvq:33", &[NGINX_CONNECTION]),
        ("recvq:>33", &[JAVA_CLOSE_WAIT]),
        (
            "recvq != 0",
            &[SSH_LISTENER, NGINX_CONNECTION, JAVA_CLOSE_WAIT],
        ),
        ("sendq > 1000", &[JAVA_CLOSE_WAIT]),
    ];
    for (text, rows) in cases {
        assert_eq!(matching_rows(text), *rows, "{text}");
    }
}

#[test]
fn numbers_and_ages() {
    let cases: &[(&str, &[u32])] = &[
        // Over its life, if known.
        ("retrans > 2", &[CURL_SYN_SENT, JAVA_CLOSE_WAIT]),
        ("retrans ge 1", &[CURL_SYN_SENT, JAVA_CLOSE_WAIT, HALF_OPEN]),
        ("rtt > 100ms", &[JAVA_CLOSE_WAIT]),
        ("rtt < 100ms", &[LINK_LOCAL]),
        ("rtt:44us", &[LINK_LOCAL]),
        ("rx > 1MB", &[JAVA_CLOSE_WAIT]),
        ("rx >= 1200kB", &[JAVA_CLOSE_WAIT]),
        ("rx = 0", &[LINK_LOCAL]),
        ("tx < 1", &[JAVA_CLOSE_WAIT, LINK_LOCAL]),
        ("tx > 0", &[]),
        ("age > 60s", &[SSH_LISTENER, JAVA_CLOSE_WAIT]),
        ("age > 40m", &[SSH_LISTENER, JAVA_CLOSE_WAIT]),
        ("age >= 41m", &[SSH_LISTENER, JAVA_CLOSE_WAIT]),
        ("age > 41m", &[SSH_LISTENER]),
        ("age != 2d", &all_rows_except(&[])),
        ("age = 3d", &[]),
        ("age > 71h", &[SSH_LISTENER]),
        (
            "age < 11",
            &all_rows_except(&[SSH_LISTENER, JAVA_CLOSE_WAIT]),
        ),
    ];
    for (text, rows) in cases {
        assert_eq!(matching_rows(text), *rows, "{text}");
    }
}

#[test]
fn metric_names_alone_are_text_terms() {
    assert_eq!(Filter::parse("rx").unwrap().to_string(), "rx");
    assert!(!Filter::parse("rtt").unwrap().uses_tcp_metrics());
}

#[test]
fn only_metric_predicates_need_tcp_metrics() {
    for text in [
        "rtt > 1ms",
        "not (udp or rx = 0)",
        "tcp and tx < 5",
        "retrans > 0",
    ] {
        assert!(Filter::parse(text).unwrap().uses_tcp_metrics(), "{text}");
    }
    assert!(!Filter::parse("retrans > 0").unwrap().requires_tcp_metrics());
    assert!(
        Filter::parse("udp or not tx = 0")
            .unwrap()
            .requires_tcp_metrics()
    );
    for text in ["", "recvq > 0 age > 60s", "rtt"] {
        assert!(!Filter::parse(text).unwrap().uses_tcp_metrics(), "{text}");
    }
}

#[test]
fn bare_words_search_the_visible_text() {
    let cases: &[(&str, &[u32])] = &[
        ("SYN_SENT", &[CURL_SYN_SENT]),
        (
            "Established",
            &[NGINX_CONNECTION, HIDDEN_OWNER, LINK_LOCAL, RESOLVER_UDP],
        ),
        // An incomplete state is text: a word in the state column.
        (
            "establish",
            &[NGINX_CONNECTION, HIDDEN_OWNER, LINK_LOCAL, RESOLVER_UDP],
        ),
        ("syn_", &[CURL_SYN_SENT, HALF_OPEN]),
        ("syn-", &[CURL_SYN_SENT, HALF_OPEN]),
        ("unknown_42", &[UNKNOWN_STATE]),
        // A state in quotation marks is a text like any other.
        ("\"listen\"", &[SSH_LISTENER, NGINX_LISTENER]),
        ("curl", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("CURL", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("!curl state syn-sent", &[]),
        ("浏览器", &[JAVA_CLOSE_WAIT]),
        ("jvm-launcher", &[JAVA_CLOSE_WAIT]),
        ("4711", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("203.0.113.9:44", &[]),
        ("203.0.113.9:443", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("203.0.113.9:", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        ("203.0.113", &[CURL_SYN_SENT, CURL_TIME_WAIT]),
        // A whole address matches exactly, not as a prefix.
        ("192.0.2.1", &[]),
        ("192.0.2.53", &[RESOLVER_UDP]),
        ("192.0.2.0/24:40001", &[RESOLVER_UDP]),
        ("[2001:db8::1", &[JAVA_CLOSE_WAIT]),
        ("2001:db8::1]", &[JAVA_CLOSE_WAIT]),
        ("%eth0", &[LINK_LOCAL]),
        ("fe80::1%eth0]:22", &[LINK_LOCAL]),
        ("[fe80::1%eth0]:22", &[LINK_LOCAL]),
        ("fe80::1%eth0", &[LINK_LOCAL]),
        ("fe80::1%2", &[LINK_LOCAL]),
        ("fe80::1%eth1", &[]),
        ("[::]:5353", &[AVAHI_UDP]),
        ("::", &[AVAHI_UDP]),
        ("::1", &[]),
        ("[::1]:80", &[]),
        ("*:5353", &[AVAHI_UDP]),
        (
            "*:443",
            &[
                NGINX_CONNECTION,
                CURL_SYN_SENT,
                CURL_TIME_WAIT,
                HALF_OPEN,
                NGINX_LISTENER,
            ],
        ),
        ("*%eth0:22", &[LINK_LOCAL]),
        ("-jar shop.jar", &[JAVA_CLOSE_WAIT]),
        ("shop.jar", &[JAVA_CLOSE_WAIT]),
        ("/usr/sbin/ssh", &[SSH_LISTENER, LINK_LOCAL]),
        ("process", &[]),
        ("user or pid", &[]),
        ("0.0.0.0", &[SSH_LISTENER, NGINX_LISTENER]),
        ("*", &[SSH_LISTENER, AVAHI_UDP, NGINX_LISTENER]),
        ("www", &[NGINX_CONNECTION, HIDDEN_OWNER]),
        ("alice", &[CURL_SYN_SENT, JAVA_CLOSE_WAIT]),
        // The number of an unnamed user is visible; that of a named one is not.
        ("70", &[AVAHI_UDP]),
        ("mdns", &[AVAHI_UDP]),
        ("postgres", &[HIDDEN_OWNER]),
        ("domain", &[RESOLVER_UDP]),
        ("udp6", &[AVAHI_UDP]),
        ("\"udp\"", &[AVAHI_UDP, RESOLVER_UDP]),
        ("no such thing", &[]),
        ("\"no such thing\"", &[]),
    ];
    for (text, rows) in cases {
        assert_eq!(matching_rows(text), *rows, "{text}");
    }
}

/// Every field without a colon, and the words that ss has besides.
#[test]
fn a_field_may_stand_before_its_value() {
    let cases: &[(&str, &[u32])] = &[
        ("process nginx", &[NGINX_CONNECTION, NGINX_LISTENER]),
        ("process = nginx", &[NGINX_CONNECTION, NGINX_LISTENER]),
        ("process \"systemd-res\"", &[RESOLVER_UDP]),
        (
            "user root",
            &[SSH_LISTENER, LINK_LOCAL, UNKNOWN_STATE, NGINX_LISTENER],
        ),
        ("uid 33 tcp", &[NGINX_CONNECTION, HIDDEN_OWNER]),
        ("pid 813", &[NGINX_CONNECTION, NGINX_LISTENER]),
        ("pid:640,900", &[SSH_LISTENER, JAVA_CLOSE_WAIT, LINK_LOCAL]),
        ("pid 640,900 v6", &[JAVA_CLOSE_WAIT, LINK_LOCAL]),
        ("inode 101", &[NGINX_CONNECTION]),
        ("proto udp", &[AVAHI_UDP, RESOLVER_UDP]),
        ("family inet6", &[JAVA_CLOSE_WAIT, AVAHI_UDP, LINK_LOCAL]),
        ("unit shop", &[JAVA_CLOSE_WAIT]),
        ("cmd shop.jar", &[JAVA_CLOSE_WAIT]),
        ("cmd:\"java -jar shop\"", &[JAVA_CLOSE_WAIT]),
        ("command:SHOP", &[JAVA_CLOSE_WAIT]),
        (
            "exe:/usr/sbin",
            &[
                SSH_LISTENER,
                NGINX_CONNECTION,
                AVAHI_UDP,
                LINK_LOCAL,
                NGINX_LISTENER,
            ],
        ),
        ("cwd /srv", &[JAVA_CLOSE_WAIT]),
        ("cgroup /system.slice", &[JAVA_CLOSE_WAIT]),
        (
            "cgroup /sys/fs/cgroup/system.slice/shop.service",
            &[JAVA_CLOSE_WAIT],
        ),
        ("cgroup /system.slice/shop", &[]),
        ("dev eth0", &[LINK_LOCAL]),
        ("dev = 2", &[LINK_LOCAL]),
        ("dev lo", &[]),
        ("autobound", &[CURL_SYN_SENT, CURL_TIME_WAIT, RESOLVER_UDP]),
        ("src [fe80::1%eth0]:22", &[LINK_LOCAL]),
        ("src [fe80::1%eth1]:22", &[]),
        ("dst fe80::2%eth0", &[LINK_LOCAL]),
        ("src *:443", &[NGINX_CONNECTION, HALF_OPEN, NGINX_LISTENER]),
        ("src [::]:5353", &[AVAHI_UDP]),
        ("src 0.0.0.0:22", &[SSH_LISTENER]),
    ];
    for (text, rows) in cases {
        assert_eq!(matching_rows(text), *rows, "{text}");
    }
}

/// The rows for which the result is unknown.
fn unknown_rows(text: &str) -> Vec<u32> {
    let world = world();
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let matcher = Matcher::new(&filter, &world);
    let rows = (0_u32..).zip(world.rows.iter());
    rows.filter(|(_, row)| {
        let unknown = matcher.evaluate(row) == Truth::Unknown;
        assert_eq!(matcher.unknown_reason(row).is_some(), unknown, "{text}");
        unknown
    })
    .map(|(number, _)| number)
    .collect()
}

/// The negation of unknown is unknown.
#[test]
fn unknown_is_neither_match_nor_mismatch() {
    let cases: &[(&str, &[u32])] = &[
        // It has listened for three days at least.
        ("age > 2d", &[]),
        ("age > 3d", &[SSH_LISTENER]),
        ("age >= 3d", &[]),
        ("age > 30d", &[SSH_LISTENER]),
        ("age < 2s", &[]),
        ("age < 3d", &[]),
        ("age < 4d", &[SSH_LISTENER]),
        ("age <= 2d", &[]),
        ("age = 3d", &[SSH_LISTENER]),
        ("age = 2d", &[]),
        ("age != 3d", &[SSH_LISTENER]),
        ("not age > 30d", &[SSH_LISTENER]),
        ("age > 30d and udp", &[]),
        ("age > 30d and tcp", &[SSH_LISTENER]),
        ("age > 30d or sport = :22", &[]),
        // The owner is unknown; the kernel reports the user.
        ("process:nginx", &[HIDDEN_OWNER]),
        ("process != nginx", &[HIDDEN_OWNER]),
        ("pid:1", &[HIDDEN_OWNER]),
        ("unit:shop", &[HIDDEN_OWNER]),
        ("nginx", &[HIDDEN_OWNER]),
        ("!nginx", &[HIDDEN_OWNER]),
        ("process:nginx and udp", &[]),
        ("process:nginx or user:www-data", &[RESOLVER_UDP]),
        ("443", &[]),
        ("198.51.100", &[]),
        ("user:www-data", &[RESOLVER_UDP]),
        ("uid:33", &[]),
        // Connections without metrics.
        (
            "rtt > 100ms",
            &[NGINX_CONNECTION, HIDDEN_OWNER, UNKNOWN_STATE],
        ),
        (
            "rx < 1",
            &[NGINX_CONNECTION, CURL_SYN_SENT, HIDDEN_OWNER, UNKNOWN_STATE],
        ),
        ("rx < 1 and udp", &[]),
        (
            "retrans > 2",
            &[NGINX_CONNECTION, HIDDEN_OWNER, UNKNOWN_STATE],
        ),
        (
            "retrans < 3",
            &[NGINX_CONNECTION, HIDDEN_OWNER, UNKNOWN_STATE],
        ),
        // Reported by `sock_diag` only.
        ("sendq > 5", &[NGINX_LISTENER]),
        ("dev eth0", &[NGINX_LISTENER]),
        ("v4", &[AVAHI_UDP]),
        ("src 0.0.0.0:5353", &[AVAHI_UDP]),
        ("netns:blue", &all_rows_except(&[])),
        ("netns:1", &[]),
    ];
    for (text, rows) in cases {
        assert_eq!(unknown_rows(text), *rows, "{text}");
        let opposite = format!("not ({text})");
        assert_eq!(unknown_rows(&opposite), *rows, "{opposite}");
        let yes = matching_rows(text);
        let no = matching_rows(&opposite);
        assert_eq!(yes.len() + no.len() + rows.len(), 12, "{text}");
    }
}

/// The timer of `TIME_WAIT` gives its age from the first table on.
#[test]
fn time_wait_age_comes_from_its_timer() {
    let mut world = world();
    let was = &mut Arc::make_mut(&mut world.rows)[CURL_TIME_WAIT as usize];
    was.saw_state_entry = false;
    was.state_since = world.time.timestamp();
    let row = *was;
    for (text, truth) in [
        ("age = 48s", Truth::Yes),
        ("age < 48s", Truth::No),
        ("age > 1m", Truth::No),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(
            Matcher::new(&filter, &world).evaluate(&row),
            truth,
            "{text}"
        );
    }
}

/// Targets of actions are named, not found in another program's arguments.
#[test]
fn filters_of_actions_ignore_command_lines() {
    let world = world();
    for (text, shown, meant) in [
        ("shop.jar", true, false),
        ("/opt", true, false),
        ("not shop.jar", false, true),
        ("java", true, true),
        ("launcher", true, true),
        ("cmd:shop.jar", true, true),
        ("CLOSE_WAIT", true, true),
    ] {
        let filter = Filter::parse(text).unwrap();
        let order = filter.without_command_lines();
        let row = &world.rows[JAVA_CLOSE_WAIT as usize];
        assert_eq!(filter.matches(row, &world), shown, "{text}");
        assert_eq!(order.matches(row, &world), meant, "{text}");
        assert_eq!(order.text_terms(), filter.text_terms());
        assert_eq!(order.to_string(), filter.to_string());
    }
}

#[test]
fn text_terms_are_listed() {
    let filter = Filter::parse("ngnix and (:80 or not curl) 1.2.3.4").unwrap();
    assert_eq!(filter.text_terms(), ["ngnix", "curl"]);
    assert!(
        Filter::parse("process:x :80")
            .unwrap()
            .text_terms()
            .is_empty()
    );
}

#[test]
fn canonical_text() {
    let cases = [
        (
            "state SYN-SENT sport=:https",
            "state syn_sent and sport = :443",
        ),
        ("!nginx", "not nginx"),
        ("port:80,443 tcp", "(port:80 or port:443) and tcp"),
        ("port != http", "port != :80"),
        ("not (dst 10/8 or :22)", "not (dst 10.0.0.0/8 or port:22)"),
        ("not dst 192.0.2.77/24:80", "dst != 192.0.2.0/24:80"),
        ("dst [2001:db8::1]:443", "dst [2001:db8::1]:443"),
        ("dst [2001:DB8::1]", "dst 2001:db8::1"),
        ("dst 2001:db8::1/32", "dst 2001:db8::/32"),
        ("192.0.2.1/32", "host 192.0.2.1"),
        ("proto:tcp6 user:33", "tcp and inet6 and uid:33"),
        (
            "process:\"a b\" user:\"33\"",
            "process:\"a b\" and user:\"33\"",
        ),
        ("\"tcp\" \"plain\" \"and\"", "\"tcp\" and plain and \"and\""),
        (
            "age > 120s age < 90 recvq>0",
            "age > 2m and age < 90s and recvq > 0",
        ),
        (
            "rtt >= 1500ms rtt<2000us rx>20k tx != 5MB",
            "rtt >= 1500ms and rtt < 2ms and rx > 20000 and tx != 5000000",
        ),
        (
            "a (b (c or d)) or e or (f or g)",
            "a and b and (c or d) or e or f or g",
        ),
        ("src [fe80::1%eth0]:22", "src [fe80::1]:22 and dev:eth0"),
        ("dst != *%lo:80", "not (dport = :80 and dev:lo)"),
        ("[::]:80 or ::1", "host [::]:80 or host ::1"),
        ("command x exe = /y", "cmd:x and exe:/y"),
        ("a\u{202e}b", "\"a\\u{202e}b\""),
        ("\"\\u{1b}\"", "\"\\u{1b}\""),
    ];
    for (text, canonical) in cases {
        assert_eq!(Filter::parse(text).unwrap().to_string(), canonical);
    }
}

#[test]
fn filter_of_a_single_local_port_is_recognised() {
    let cases = [
        (":8081", Some(8081)),
        ("port:8081", Some(8081)),
        ("port = :http", Some(80)),
        ("sport = :8081", Some(8081)),
        ("port:8081-8081", Some(8081)),
        ("", None),
        ("8081", None),
        (":0", None),
        ("dport = :8081", None),
        ("sport > :8081", None),
        ("port:8081-8082", None),
        ("port:80,443", None),
        ("not :8081", None),
        (":8081 nginx", None),
        ("127.0.0.1:8081", None),
    ];
    for (text, port) in cases {
        assert_eq!(
            Filter::parse(text)
                .ok()
                .and_then(|filter| filter.only_local_port()),
            port,
            "{text}"
        );
    }
}

#[test]
fn unqualified_port_is_the_local_port_for_signals() {
    // Text, the same for signals, and true if a port names no end.
    let cases = [
        (":443", "sport = :443", true),
        ("port:80,443", "sport = :80 or sport = :443", true),
        ("port:8000-8100 tcp", "sport:8000-8100 and tcp", true),
        ("port > 1024", "sport > :1024", true),
        ("host:192.0.2.1:80", "src 192.0.2.1:80", true),
        (":80 and user:x", "sport = :80 and user:x", true),
        ("(:80 or udp) x", "(sport = :80 or udp) and x", true),
        ("nginx and not :80", "nginx and sport != :80", false),
        ("either :443", "either:443", false),
        ("either:80,443", "either:80 or either:443", false),
        ("sport :443", "sport = :443", false),
        ("dport :443", "dport = :443", false),
        ("host:192.0.2.1", "host 192.0.2.1", false),
        ("dst 192.0.2.1:80", "dst 192.0.2.1:80", false),
        ("nginx", "nginx", false),
        ("", "", false),
    ];
    for (text, expected, bare) in cases {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.with_local_ports().to_string(), expected, "{text}");
        assert_eq!(filter.has_unqualified_port(), bare, "{text}");
    }
}

/// Who opened a socket is one that it may be of; that another did says nothing of who
/// has it now.
#[test]
fn the_unit_that_opened_a_socket_is_found_where_no_owner_is() {
    let world = with_openers(
        world(),
        &[
            (HIDDEN_OWNER, "nginx.service"),
            (JAVA_CLOSE_WAIT, "nginx.service"),
        ],
    );
    for (text, row, expected) in [
        ("unit:NGINX", HIDDEN_OWNER, Truth::Yes),
        ("!unit:nginx", HIDDEN_OWNER, Truth::No),
        ("unit:shop", HIDDEN_OWNER, Truth::Unknown),
        ("unit:nginx", JAVA_CLOSE_WAIT, Truth::No),
        ("unit:shop", JAVA_CLOSE_WAIT, Truth::Yes),
        ("process:nginx", HIDDEN_OWNER, Truth::Unknown),
        ("unit:nginx", UNKNOWN_STATE, Truth::No),
    ] {
        let filter = Filter::parse(text).unwrap();
        let truth = Matcher::new(&filter, &world).evaluate(&world.rows[row as usize]);
        assert_eq!(truth, expected, "{text} {row}");
    }
}
