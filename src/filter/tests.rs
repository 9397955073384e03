//! Every construct of the grammar against the fixture.

use super::sample::{
    AVAHI, CURL_CONNECTS, CURL_WAS, HALF_OPEN, HIDDEN, JAVA, LINK_LOCAL, NGINX, NGINX_LISTENS, ODD,
    RESOLVER, SSH_LISTENS, with_openers, world,
};
use super::{Filter, Matcher, Truth};
use std::sync::Arc;

fn wanted(text: &str) -> Vec<u32> {
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
fn but(rows: &[u32]) -> Vec<u32> {
    (0..12).filter(|number| !rows.contains(number)).collect()
}

#[test]
fn ss_grammar() {
    let cases: &[(&str, &[u32])] = &[
        ("state syn-sent", &[CURL_CONNECTS]),
        ("state SYN_SENT", &[CURL_CONNECTS]),
        ("state listening", &[SSH_LISTENS, NGINX_LISTENS]),
        ("state bucket", &[CURL_WAS, HALF_OPEN]),
        (
            "state connected",
            &but(&[SSH_LISTENS, AVAHI, NGINX_LISTENS]),
        ),
        (
            "state synchronized",
            &but(&[SSH_LISTENS, AVAHI, NGINX_LISTENS, CURL_CONNECTS]),
        ),
        ("state big", &but(&[CURL_WAS, HALF_OPEN])),
        ("state all", &but(&[])),
        ("state unknown", &[ODD]),
        ("exclude listen", &but(&[SSH_LISTENS, NGINX_LISTENS])),
        ("state != listen", &but(&[SSH_LISTENS, NGINX_LISTENS])),
        ("state syn-sent state time-wait", &[CURL_CONNECTS, CURL_WAS]),
        ("state bucket exclude time-wait sport = :443", &[HALF_OPEN]),
        ("state syn-sent and state time-wait", &[]),
        ("sport = :443", &[NGINX, HALF_OPEN, NGINX_LISTENS]),
        ("sport :443", &[NGINX, HALF_OPEN, NGINX_LISTENS]),
        ("sport 443", &[NGINX, HALF_OPEN, NGINX_LISTENS]),
        ("sport eq :https", &[NGINX, HALF_OPEN, NGINX_LISTENS]),
        ("dport = https", &[CURL_CONNECTS, CURL_WAS]),
        ("dport == :443", &[CURL_CONNECTS, CURL_WAS]),
        ("dport=:443", &[CURL_CONNECTS, CURL_WAS]),
        ("dport != :443", &but(&[CURL_CONNECTS, CURL_WAS])),
        ("dport ne 443", &but(&[CURL_CONNECTS, CURL_WAS])),
        ("dport >= :50122", &[NGINX, LINK_LOCAL]),
        ("dport > 50122", &[LINK_LOCAL]),
        ("dport gt 50122", &[LINK_LOCAL]),
        ("dport < 53", &[ODD]),
        ("dport le 53", &[ODD, RESOLVER]),
        ("dport <= 53", &[ODD, RESOLVER]),
        ("dport > 65535", &[]),
        ("dport < 0", &[]),
        ("src 127.0.0.1", &[HIDDEN]),
        ("src = 127.0.0.1", &[HIDDEN]),
        ("src 127/8", &[HIDDEN]),
        ("src 10.0.0.0/8", &[ODD]),
        ("dst = 203.0.113.9:443", &[CURL_CONNECTS, CURL_WAS]),
        ("dst 203.0.113.9:80", &[]),
        ("dst 203.0.113.0/24:443", &[CURL_CONNECTS, CURL_WAS]),
        ("dst [2001:db8::1]:50000", &[JAVA]),
        ("dst 2001:db8::1", &[JAVA]),
        ("dst [2001:db8::]/32", &[JAVA]),
        ("dst [2001:db8::/32]:50000", &[JAVA]),
        ("dst 2001:db8::/32", &[JAVA]),
        ("dst ::/0", &[JAVA, LINK_LOCAL]),
        ("dst ::ffff:10.0.0.0/104", &[ODD]),
        ("dst :443", &[CURL_CONNECTS, CURL_WAS]),
        ("dst *:443", &[CURL_CONNECTS, CURL_WAS]),
        ("dst *", &but(&[])),
        // A row without a peer has no remote end to be within it.
        (
            "dst 0.0.0.0/0",
            &but(&[SSH_LISTENS, NGINX_LISTENS, AVAHI, JAVA, LINK_LOCAL]),
        ),
        ("dst != 203.0.113.9", &but(&[CURL_CONNECTS, CURL_WAS])),
        ("not dst 203.0.113.9", &but(&[CURL_CONNECTS, CURL_WAS])),
        (
            "state time-wait or sport = :22",
            &[SSH_LISTENS, CURL_WAS, LINK_LOCAL],
        ),
        // `and` binds tighter than `or`, `not` tighter than both.
        (
            "tcp and sport 22 or udp",
            &[SSH_LISTENS, AVAHI, LINK_LOCAL, RESOLVER],
        ),
        ("udp or sport 22 v6", &[AVAHI, LINK_LOCAL, RESOLVER]),
        ("(udp or sport 22) v6", &[AVAHI, LINK_LOCAL]),
        ("not tcp and sport 40001", &[RESOLVER]),
        ("!(tcp && !v6) & sport 5353", &[AVAHI]),
        ("not not udp", &[AVAHI, RESOLVER]),
        ("udp || state syn-recv", &[AVAHI, HALF_OPEN, RESOLVER]),
    ];
    for (text, rows) in cases {
        assert_eq!(wanted(text), *rows, "{text}");
    }
}

#[test]
fn sugar() {
    let cases: &[(&str, &[u32])] = &[
        ("", &but(&[])),
        ("  \t ", &but(&[])),
        (
            "port:443",
            &[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, NGINX_LISTENS],
        ),
        (
            "port:https",
            &[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, NGINX_LISTENS],
        ),
        (
            ":443",
            &[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, NGINX_LISTENS],
        ),
        (
            "either :443",
            &[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, NGINX_LISTENS],
        ),
        (":ssh", &[SSH_LISTENS, LINK_LOCAL]),
        ("port 22", &[SSH_LISTENS, LINK_LOCAL]),
        ("port:8000-8100", &[JAVA]),
        ("port:22,8080", &[SSH_LISTENS, JAVA, LINK_LOCAL]),
        (
            "port != 443",
            &but(&[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, NGINX_LISTENS]),
        ),
        ("port < 10", &[ODD]),
        ("sport:22", &[SSH_LISTENS, LINK_LOCAL]),
        ("dport:53", &[RESOLVER]),
        ("src:10.0.0.0/8", &[ODD]),
        ("dst:[2001:db8::1]:50000", &[JAVA]),
        ("host:192.0.2.53", &[RESOLVER]),
        ("host:127.0.0.1", &[HIDDEN]),
        ("host 127.0.0.1:40000", &[HIDDEN]),
        (
            "192.0.2.0/27",
            &[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, RESOLVER],
        ),
        ("process:NGINX", &[NGINX, NGINX_LISTENS]),
        ("process:curl", &[CURL_CONNECTS, CURL_WAS]),
        // The base name of the program, in any case, but not its folders.
        ("process:launcher", &[JAVA]),
        ("process:浏览器", &[]),
        ("process:\"systemd-res\"", &[RESOLVER]),
        ("process = ssh", &[SSH_LISTENS, LINK_LOCAL]),
        ("pid:813", &[NGINX, NGINX_LISTENS]),
        ("pid:4711", &[CURL_CONNECTS]),
        ("pid:81", &[]),
        ("user:www-data", &[NGINX, HIDDEN]),
        ("user:33", &[NGINX, HIDDEN]),
        ("uid:33", &[NGINX, HIDDEN]),
        ("user:alice", &[CURL_CONNECTS, JAVA]),
        ("user:www-data,alice", &[NGINX, CURL_CONNECTS, JAVA, HIDDEN]),
        // Rows without a holder have no true user, and do not belong to root.
        ("user:root", &[SSH_LISTENS, LINK_LOCAL, ODD, NGINX_LISTENS]),
        ("uid:0", &[SSH_LISTENS, LINK_LOCAL, ODD, NGINX_LISTENS]),
        ("uid:70", &[AVAHI]),
        ("state:established", &[NGINX, HIDDEN, LINK_LOCAL, RESOLVER]),
        ("state:syn_sent,close_wait", &[CURL_CONNECTS, JAVA]),
        (
            "state:bucket,listen",
            &[SSH_LISTENS, CURL_WAS, HALF_OPEN, NGINX_LISTENS],
        ),
        ("proto:udp", &[AVAHI, RESOLVER]),
        ("udp", &[AVAHI, RESOLVER]),
        ("proto:udp6", &[AVAHI]),
        ("tcp6", &[JAVA, LINK_LOCAL]),
        ("proto != tcp", &[AVAHI, RESOLVER]),
        ("v6", &[JAVA, AVAHI, LINK_LOCAL]),
        ("ipv6", &[JAVA, AVAHI, LINK_LOCAL]),
        ("inet6", &[JAVA, AVAHI, LINK_LOCAL]),
        ("udp v4", &[RESOLVER]),
        ("udp inet", &[RESOLVER]),
        ("inode:101", &[NGINX]),
        ("recvq > 3", &[NGINX, JAVA]),
        ("recvq>=3", &[SSH_LISTENS, NGINX, JAVA]),
        ("recvq:33", &[NGINX]),
        ("recvq:>33", &[JAVA]),
        ("recvq != 0", &[SSH_LISTENS, NGINX, JAVA]),
        ("sendq > 1000", &[JAVA]),
    ];
    for (text, rows) in cases {
        assert_eq!(wanted(text), *rows, "{text}");
    }
}

#[test]
fn numbers_and_ages() {
    let cases: &[(&str, &[u32])] = &[
        // Over its life, if known.
        ("retrans > 2", &[CURL_CONNECTS, JAVA]),
        ("retrans ge 1", &[CURL_CONNECTS, JAVA, HALF_OPEN]),
        ("rtt > 100ms", &[JAVA]),
        ("rtt < 100ms", &[LINK_LOCAL]),
        ("rtt:44us", &[LINK_LOCAL]),
        ("rx > 1MB", &[JAVA]),
        ("rx >= 1200kB", &[JAVA]),
        ("rx = 0", &[LINK_LOCAL]),
        ("tx < 1", &[JAVA, LINK_LOCAL]),
        ("tx > 0", &[]),
        ("age > 60s", &[SSH_LISTENS, JAVA]),
        ("age > 40m", &[SSH_LISTENS, JAVA]),
        ("age >= 41m", &[SSH_LISTENS, JAVA]),
        ("age > 41m", &[SSH_LISTENS]),
        ("age != 2d", &but(&[])),
        ("age = 3d", &[]),
        ("age > 71h", &[SSH_LISTENS]),
        ("age < 11", &but(&[SSH_LISTENS, JAVA])),
    ];
    for (text, rows) in cases {
        assert_eq!(wanted(text), *rows, "{text}");
    }
}

#[test]
fn words_of_flows_alone_are_looked_for() {
    assert_eq!(Filter::parse("rx").unwrap().to_string(), "rx");
    assert!(!Filter::parse("rtt").unwrap().needs_flows());
}

#[test]
fn only_questions_about_flows_make_tables_dearer() {
    for text in [
        "rtt > 1ms",
        "not (udp or rx = 0)",
        "tcp and tx < 5",
        "retrans > 0",
    ] {
        assert!(Filter::parse(text).unwrap().needs_flows(), "{text}");
    }
    assert!(!Filter::parse("retrans > 0").unwrap().is_of_flows());
    assert!(Filter::parse("udp or not tx = 0").unwrap().is_of_flows());
    for text in ["", "recvq > 0 age > 60s", "rtt"] {
        assert!(!Filter::parse(text).unwrap().needs_flows(), "{text}");
    }
}

#[test]
fn bare_words_are_looked_for_in_what_is_shown() {
    let cases: &[(&str, &[u32])] = &[
        ("SYN_SENT", &[CURL_CONNECTS]),
        ("Established", &[NGINX, HIDDEN, LINK_LOCAL, RESOLVER]),
        // An incomplete state is text: a word in the state column.
        ("establish", &[NGINX, HIDDEN, LINK_LOCAL, RESOLVER]),
        ("syn_", &[CURL_CONNECTS, HALF_OPEN]),
        ("syn-", &[CURL_CONNECTS, HALF_OPEN]),
        ("unknown_42", &[ODD]),
        // A state in quotation marks is a text like any other.
        ("\"listen\"", &[SSH_LISTENS, NGINX_LISTENS]),
        ("curl", &[CURL_CONNECTS, CURL_WAS]),
        ("CURL", &[CURL_CONNECTS, CURL_WAS]),
        ("!curl state syn-sent", &[]),
        ("浏览器", &[JAVA]),
        ("jvm-launcher", &[JAVA]),
        ("4711", &[CURL_CONNECTS, CURL_WAS]),
        ("203.0.113.9:44", &[]),
        ("203.0.113.9:443", &[CURL_CONNECTS, CURL_WAS]),
        ("203.0.113.9:", &[CURL_CONNECTS, CURL_WAS]),
        ("203.0.113", &[CURL_CONNECTS, CURL_WAS]),
        // A whole address matches exactly, not as a prefix.
        ("192.0.2.1", &[]),
        ("192.0.2.53", &[RESOLVER]),
        ("192.0.2.0/24:40001", &[RESOLVER]),
        ("[2001:db8::1", &[JAVA]),
        ("2001:db8::1]", &[JAVA]),
        ("%eth0", &[LINK_LOCAL]),
        ("fe80::1%eth0]:22", &[LINK_LOCAL]),
        ("[fe80::1%eth0]:22", &[LINK_LOCAL]),
        ("fe80::1%eth0", &[LINK_LOCAL]),
        ("fe80::1%2", &[LINK_LOCAL]),
        ("fe80::1%eth1", &[]),
        ("[::]:5353", &[AVAHI]),
        ("::", &[AVAHI]),
        ("::1", &[]),
        ("[::1]:80", &[]),
        ("*:5353", &[AVAHI]),
        (
            "*:443",
            &[NGINX, CURL_CONNECTS, CURL_WAS, HALF_OPEN, NGINX_LISTENS],
        ),
        ("*%eth0:22", &[LINK_LOCAL]),
        ("-jar shop.jar", &[JAVA]),
        ("shop.jar", &[JAVA]),
        ("/usr/sbin/ssh", &[SSH_LISTENS, LINK_LOCAL]),
        ("process", &[]),
        ("user or pid", &[]),
        ("0.0.0.0", &[SSH_LISTENS, NGINX_LISTENS]),
        ("*", &[SSH_LISTENS, AVAHI, NGINX_LISTENS]),
        ("www", &[NGINX, HIDDEN]),
        ("alice", &[CURL_CONNECTS, JAVA]),
        // The number of an unnamed user is visible; that of a named one is not.
        ("70", &[AVAHI]),
        ("mdns", &[AVAHI]),
        ("postgres", &[HIDDEN]),
        ("domain", &[RESOLVER]),
        ("udp6", &[AVAHI]),
        ("\"udp\"", &[AVAHI, RESOLVER]),
        ("no such thing", &[]),
        ("\"no such thing\"", &[]),
    ];
    for (text, rows) in cases {
        assert_eq!(wanted(text), *rows, "{text}");
    }
}

/// Every field without a colon, and the words that ss has besides.
#[test]
fn a_field_may_stand_before_its_value() {
    let cases: &[(&str, &[u32])] = &[
        ("process nginx", &[NGINX, NGINX_LISTENS]),
        ("process = nginx", &[NGINX, NGINX_LISTENS]),
        ("process \"systemd-res\"", &[RESOLVER]),
        ("user root", &[SSH_LISTENS, LINK_LOCAL, ODD, NGINX_LISTENS]),
        ("uid 33 tcp", &[NGINX, HIDDEN]),
        ("pid 813", &[NGINX, NGINX_LISTENS]),
        ("pid:640,900", &[SSH_LISTENS, JAVA, LINK_LOCAL]),
        ("pid 640,900 v6", &[JAVA, LINK_LOCAL]),
        ("inode 101", &[NGINX]),
        ("proto udp", &[AVAHI, RESOLVER]),
        ("family inet6", &[JAVA, AVAHI, LINK_LOCAL]),
        ("unit shop", &[JAVA]),
        ("cmd shop.jar", &[JAVA]),
        ("cmd:\"java -jar shop\"", &[JAVA]),
        ("command:SHOP", &[JAVA]),
        (
            "exe:/usr/sbin",
            &[SSH_LISTENS, NGINX, AVAHI, LINK_LOCAL, NGINX_LISTENS],
        ),
        ("cwd /srv", &[JAVA]),
        ("cgroup /system.slice", &[JAVA]),
        ("cgroup /sys/fs/cgroup/system.slice/shop.service", &[JAVA]),
        ("cgroup /system.slice/shop", &[]),
        ("dev eth0", &[LINK_LOCAL]),
        ("dev = 2", &[LINK_LOCAL]),
        ("dev lo", &[]),
        ("autobound", &[CURL_CONNECTS, CURL_WAS, RESOLVER]),
        ("src [fe80::1%eth0]:22", &[LINK_LOCAL]),
        ("src [fe80::1%eth1]:22", &[]),
        ("dst fe80::2%eth0", &[LINK_LOCAL]),
        ("src *:443", &[NGINX, HALF_OPEN, NGINX_LISTENS]),
        ("src [::]:5353", &[AVAHI]),
        ("src 0.0.0.0:22", &[SSH_LISTENS]),
    ];
    for (text, rows) in cases {
        assert_eq!(wanted(text), *rows, "{text}");
    }
}

/// The rows for which the result is unknown.
fn undecided(text: &str) -> Vec<u32> {
    let world = world();
    let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let matcher = Matcher::new(&filter, &world);
    let rows = (0_u32..).zip(world.rows.iter());
    rows.filter(|(_, row)| {
        let unknown = matcher.truth(row) == Truth::Unknown;
        assert_eq!(matcher.doubt(row).is_some(), unknown, "{text}");
        unknown
    })
    .map(|(number, _)| number)
    .collect()
}

/// The negation of unknown is unknown.
#[test]
fn unknown_is_neither() {
    let cases: &[(&str, &[u32])] = &[
        // It has listened for three days at least.
        ("age > 2d", &[]),
        ("age > 3d", &[SSH_LISTENS]),
        ("age >= 3d", &[]),
        ("age > 30d", &[SSH_LISTENS]),
        ("age < 2s", &[]),
        ("age < 3d", &[]),
        ("age < 4d", &[SSH_LISTENS]),
        ("age <= 2d", &[]),
        ("age = 3d", &[SSH_LISTENS]),
        ("age = 2d", &[]),
        ("age != 3d", &[SSH_LISTENS]),
        ("not age > 30d", &[SSH_LISTENS]),
        ("age > 30d and udp", &[]),
        ("age > 30d and tcp", &[SSH_LISTENS]),
        ("age > 30d or sport = :22", &[]),
        // The owner is unknown; the kernel reports the user.
        ("process:nginx", &[HIDDEN]),
        ("process != nginx", &[HIDDEN]),
        ("pid:1", &[HIDDEN]),
        ("unit:shop", &[HIDDEN]),
        ("nginx", &[HIDDEN]),
        ("!nginx", &[HIDDEN]),
        ("process:nginx and udp", &[]),
        ("process:nginx or user:www-data", &[RESOLVER]),
        ("443", &[]),
        ("198.51.100", &[]),
        ("user:www-data", &[RESOLVER]),
        ("uid:33", &[]),
        // Connections without metrics.
        ("rtt > 100ms", &[NGINX, HIDDEN, ODD]),
        ("rx < 1", &[NGINX, CURL_CONNECTS, HIDDEN, ODD]),
        ("rx < 1 and udp", &[]),
        ("retrans > 2", &[NGINX, HIDDEN, ODD]),
        ("retrans < 3", &[NGINX, HIDDEN, ODD]),
        // Reported by `sock_diag` only.
        ("sendq > 5", &[NGINX_LISTENS]),
        ("dev eth0", &[NGINX_LISTENS]),
        ("v4", &[AVAHI]),
        ("src 0.0.0.0:5353", &[AVAHI]),
        ("netns:blue", &but(&[])),
        ("netns:1", &[]),
    ];
    for (text, rows) in cases {
        assert_eq!(undecided(text), *rows, "{text}");
        let opposite = format!("not ({text})");
        assert_eq!(undecided(&opposite), *rows, "{opposite}");
        let yes = wanted(text);
        let no = wanted(&opposite);
        assert_eq!(yes.len() + no.len() + rows.len(), 12, "{text}");
    }
}

/// The timer of `TIME_WAIT` gives its age from the first table on.
#[test]
fn the_timer_of_time_wait_tells_its_age() {
    let mut world = world();
    let was = &mut Arc::make_mut(&mut world.rows)[CURL_WAS as usize];
    was.entry_seen = false;
    was.state_since = world.time.stamp();
    let row = *was;
    for (text, truth) in [
        ("age = 48s", Truth::Yes),
        ("age < 48s", Truth::No),
        ("age > 1m", Truth::No),
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(Matcher::new(&filter, &world).truth(&row), truth, "{text}");
    }
}

/// Targets of actions are named, not found in another program's arguments.
#[test]
fn orders_look_in_no_command_line() {
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
        let row = &world.rows[JAVA as usize];
        assert_eq!(filter.matches(row, &world), shown, "{text}");
        assert_eq!(order.matches(row, &world), meant, "{text}");
        assert_eq!(order.texts(), filter.texts());
        assert_eq!(order.to_string(), filter.to_string());
    }
}

#[test]
fn words_that_are_text_are_known() {
    let filter = Filter::parse("ngnix and (:80 or not curl) 1.2.3.4").unwrap();
    assert_eq!(filter.texts(), ["ngnix", "curl"]);
    assert!(Filter::parse("process:x :80").unwrap().texts().is_empty());
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
fn one_local_port_is_told_from_other_questions() {
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
                .and_then(|filter| filter.single_port()),
            port,
            "{text}"
        );
    }
}

#[test]
fn a_port_without_an_end_is_the_local_one_for_signals() {
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
        assert_eq!(filter.asks_for_bare_port(), bare, "{text}");
    }
}

/// Who opened a socket is one that it may be of; that another did says nothing of who
/// has it now.
#[test]
fn the_unit_that_opened_a_socket_is_found_where_no_owner_is() {
    let world = with_openers(
        world(),
        &[(HIDDEN, "nginx.service"), (JAVA, "nginx.service")],
    );
    for (text, row, expected) in [
        ("unit:NGINX", HIDDEN, Truth::Yes),
        ("!unit:nginx", HIDDEN, Truth::No),
        ("unit:shop", HIDDEN, Truth::Unknown),
        ("unit:nginx", JAVA, Truth::No),
        ("unit:shop", JAVA, Truth::Yes),
        ("process:nginx", HIDDEN, Truth::Unknown),
        ("unit:nginx", ODD, Truth::No),
    ] {
        let filter = Filter::parse(text).unwrap();
        let truth = Matcher::new(&filter, &world).truth(&world.rows[row as usize]);
        assert_eq!(truth, expected, "{text} {row}");
    }
}
