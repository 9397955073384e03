//! Every byte sequence of every key the program uses; and arbitrary input: cut
//! anywhere, malformed, never ended.

use super::*;
use proptest::prelude::*;

/// All inputs of some bytes, read at once, and then silence.
fn inputs(bytes: &[u8]) -> Vec<Input> {
    let mut decoder = Decoder::default();
    let mut inputs = decoder.feed(bytes);
    inputs.extend(decoder.expire());
    assert_eq!(decoder.deadline(), None, "{bytes:?}");
    inputs
}

fn keys(bytes: &[u8]) -> Vec<Key> {
    let key = |input| match input {
        Input::Key(key) => key,
        other => panic!("{bytes:?}: {other:?}"),
    };
    inputs(bytes).into_iter().map(key).collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn every_encoding_of_a_key_is_that_key() {
    let cases: &[(Key, &[&str])] = &[
        // xterm in both cursor modes, with modifiers, rxvt, kitty with its
        // event types.
        (
            Key::Up,
            &[
                "\x1b[A",
                "\x1bOA",
                "\x1b[1;5A",
                "\x1b[1;2A",
                "\x1bO5A",
                "\x1b[a",
                "\x1bOa",
                "\x1b[1;1:1A",
                "\x1b[1;5:2A",
                "\x1b[57419u",
            ],
        ),
        (
            Key::Down,
            &["\x1b[B", "\x1bOB", "\x1b[1;5B", "\x1b[b", "\x1b[57420u"],
        ),
        (
            Key::Right,
            &["\x1b[C", "\x1bOC", "\x1b[1;5C", "\x1b[1;6C", "\x1b[c"],
        ),
        (
            Key::Left,
            &["\x1b[D", "\x1bOD", "\x1b[1;5D", "\x1b[d", "\x1b[57417u"],
        ),
        (
            Key::Home,
            &[
                "\x1b[H",
                "\x1bOH",
                "\x1b[1~",
                "\x1b[7~",
                "\x1b[1;5H",
                "\x1b[1;5~",
                "\x1b[7^",
                "\x1b[57423u",
            ],
        ),
        (
            Key::End,
            &[
                "\x1b[F",
                "\x1bOF",
                "\x1b[4~",
                "\x1b[8~",
                "\x1b[1;5F",
                "\x1b[4;5~",
                "\x1b[8^",
            ],
        ),
        (
            Key::PageUp,
            &["\x1b[5~", "\x1b[5;5~", "\x1b[5^", "\x1b[57421u"],
        ),
        (
            Key::PageDown,
            &["\x1b[6~", "\x1b[6;5~", "\x1b[6@", "\x1b[57422u"],
        ),
        (Key::Delete, &["\x1b[3~", "\x1b[3;2~", "\x1b[57426u"]),
        (Key::Backspace, &["\x7f", "\x1b[127u", "\x1b[127;5u"]),
        (
            Key::Enter,
            &["\r", "\x1bOM", "\x1b[13u", "\x1b[57414u", "\x1b[27;5;13~"],
        ),
        (Key::Tab, &["\t", "\x1bOI", "\x1b[9u"]),
        (Key::Esc, &["\x1b", "\x1b[27u", "\x1b[27;1:1u"]),
        (Key::Char(' '), &[" ", "\x1b[32u", "\x1bO "]),
        (
            Key::Char('K'),
            &["K", "\x1b[75;2u", "\x1b[107;2u", "\x1b[107:75;2u"],
        ),
        (Key::Char('?'), &["?", "\x1b[47:63;2u", "\x1b[27;2;63~"]),
        (Key::Char('*'), &["*", "\x1bOj", "\x1b[57411u"]),
        (Key::Char('0'), &["0", "\x1bOp", "\x1b[57399u"]),
        (Key::Char('9'), &["9", "\x1bOy", "\x1b[57408u"]),
        (Key::Char('/'), &["/", "\x1bOo", "\x1b[57410u"]),
        (Key::Char('é'), &["é", "\x1b[233u"]),
        (Key::Char('浏'), &["浏"]),
        (Key::Char('😀'), &["😀"]),
        (
            Key::Ctrl('c'),
            &["\x03", "\x1b[99;5u", "\x1b[67;6u", "\x1b[27;5;99~"],
        ),
        (Key::Ctrl('z'), &["\x1a", "\x1b[122;5u"]),
        (Key::Ctrl('h'), &["\x08", "\x1b[104;5u"]),
        (Key::Ctrl('j'), &["\n"]),
        (Key::Ctrl(' '), &["\0"]),
        (Key::Ctrl('4'), &["\x1c"]),
        // xterm, the Linux console, and with modifiers.
        (
            Key::F(1),
            &[
                "\x1bOP",
                "\x1b[11~",
                "\x1b[[A",
                "\x1b[P",
                "\x1b[1;5P",
                "\x1bO2P",
            ],
        ),
        (Key::F(2), &["\x1bOQ", "\x1b[12~", "\x1b[[B", "\x1b[Q"]),
        (Key::F(3), &["\x1bOR", "\x1b[13~", "\x1b[[C", "\x1b[1;2R"]),
        (Key::F(4), &["\x1bOS", "\x1b[14~", "\x1b[[D", "\x1b[S"]),
        (Key::F(5), &["\x1b[15~", "\x1b[[E", "\x1b[15;2~"]),
        (Key::F(6), &["\x1b[17~"]),
        (Key::F(7), &["\x1b[18~"]),
        (Key::F(8), &["\x1b[19~"]),
        (Key::F(9), &["\x1b[20~", "\x1b[20;5~", "\x1b[20^"]),
        (Key::F(10), &["\x1b[21~"]),
        (Key::F(11), &["\x1b[23~"]),
        (Key::F(12), &["\x1b[24~"]),
        (Key::F(13), &["\x1b[25~", "\x1b[57376u"]),
        (Key::F(15), &["\x1b[28~"]),
        (Key::F(20), &["\x1b[34~"]),
    ];
    for (key, encodings) in cases {
        for encoding in *encodings {
            assert_eq!(keys(encoding.as_bytes()), [*key], "{encoding:?}");
        }
    }
}

#[test]
fn escape_and_a_key_are_two_keys() {
    let cases: &[(&[u8], [Key; 2])] = &[
        (b"\x1by", [Key::Esc, Key::Char('y')]),
        (b"\x1bx", [Key::Esc, Key::Char('x')]),
        (b"\x1b\r", [Key::Esc, Key::Enter]),
        (b"\x1b\x03", [Key::Esc, Key::Ctrl('c')]),
        (b"\x1b\x1b", [Key::Esc, Key::Esc]),
        (b"\x1b\x1b[A", [Key::Esc, Key::Up]),
        (b"\x1b[1;3B", [Key::Esc, Key::Down]),
        (b"\x1b[120;3u", [Key::Esc, Key::Char('x')]),
        ("\x1bé".as_bytes(), [Key::Esc, Key::Char('é')]),
        // Sequences begin so.
        (b"\x1b[", [Key::Esc, Key::Char('[')]),
        (b"\x1bO", [Key::Esc, Key::Char('O')]),
        (b"\x1bP", [Key::Esc, Key::Char('P')]),
        (b"\x1b]", [Key::Esc, Key::Char(']')]),
    ];
    for (bytes, expected) in cases {
        assert_eq!(keys(bytes), expected, "{bytes:?}");
    }
    assert_eq!(keys(b"\x1bOK"), [Key::Esc, Key::Char('O'), Key::Char('K')]);
    assert_eq!(keys(b"\x1bPK"), [Key::Esc, Key::Char('P'), Key::Char('K')]);
}

#[test]
fn the_mouse_is_read_in_each_form() {
    let at = |input, column, row| Input::Mouse(input, Position::new(column, row));
    let cases: &[(&[u8], Input)] = &[
        (b"\x1b[<0;5;3M", at(MouseInput::Press, 4, 2)),
        (b"\x1b[<16;300;200M", at(MouseInput::Press, 299, 199)),
        (b"\x1b[<64;1;1M", at(MouseInput::WheelUp, 0, 0)),
        (b"\x1b[<65;1;1M", at(MouseInput::WheelDown, 0, 0)),
        (b"\x1b[32;5;3M", at(MouseInput::Press, 4, 2)),
        (b"\x1b[96;5;3M", at(MouseInput::WheelUp, 4, 2)),
        (b"\x1b[M %#", at(MouseInput::Press, 4, 2)),
        (b"\x1b[Ma%#", at(MouseInput::WheelDown, 4, 2)),
        // The upper left cell is counted from 1, and 0 is none.
        (b"\x1b[<0;0;0M", at(MouseInput::Press, 0, 0)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(inputs(bytes), std::slice::from_ref(expected), "{bytes:?}");
    }
}

#[test]
fn what_means_nothing_gives_no_key() {
    let cases: &[&[u8]] = &[
        // A release, other buttons, motion, a wheel to the side, too far out.
        b"\x1b[<0;5;3m",
        b"\x1b[<1;5;3M",
        b"\x1b[<32;5;3M",
        b"\x1b[<35;5;3M",
        b"\x1b[<66;5;3M",
        b"\x1b[<0;99999999;3M",
        b"\x1b[M#%#",
        // Shift-Tab, Insert, the focus, a key that goes up, a lone Shift.
        b"\x1b[Z",
        b"\x1b[9;2u",
        b"\x1b[2~",
        b"\x1b[I",
        b"\x1b[O",
        b"\x1b[1;1:3A",
        b"\x1b[107;1:3u",
        b"\x1b[57441;2u",
        // Answers of a terminal: attributes, a colour, its name, a status.
        b"\x1b[?64;1;9c",
        b"\x1b[?1u",
        b"\x1b]11;rgb:0000/Kyny/0000\x07",
        b"\x1b]11;rgb:0000/Kyny/0000\x1b\\",
        b"\x1bP>|Konsole 22.04\x1b\\",
        b"\x1bP1$r0mKy\x1b\\",
        b"\x1b_Gi=1;OKy\x1b\\",
        // Malformed: private, with intermediate bytes, too large, not UTF-8.
        b"\x1b[?2004$y",
        b"\x1b[99999999999~",
        b"\x1b[;;;;x",
        b"\x1b[<Ky;M",
        b"\xff",
        b"\x80\x80",
        b"\xe6\xb5",
        b"\x1b[201~",
        // Cut off for good.
        b"\x1b[1;",
        b"\x1b]11;rgb:",
    ];
    let answers = |bytes: &[u8]| {
        let mut decoder = Decoder::default();
        let mut inputs = decoder.feed(bytes);
        inputs.extend(decoder.expire());
        inputs
    };
    for bytes in cases {
        let expected: &[Input] = match *bytes {
            // Not a sequence from `K` on.
            b"\x1b[<Ky;M" => &[
                Input::Key(Key::Char('y')),
                Input::Key(Key::Char(';')),
                Input::Key(Key::Char('M')),
            ],
            _ => &[],
        };
        assert_eq!(answers(bytes), expected, "{bytes:?}");
    }
}

#[test]
fn a_key_behind_a_broken_sequence_is_that_key() {
    let cases: &[(&[u8], &[Key])] = &[
        (b"\x1b[1;\x03", &[Key::Ctrl('c')]),
        (b"\x1b[<0;\x1b[A", &[Key::Up]),
        (b"\x1b[1;5\x1b", &[Key::Esc]),
        (b"\x1b]11;rgb\x03", &[Key::Ctrl('c')]),
        (b"\x1bP>|x\x1b[B", &[Key::Down]),
        (b"\xe6\xb5q", &[Key::Char('q')]),
        (b"\xffq", &[Key::Char('q')]),
    ];
    for (bytes, expected) in cases {
        assert_eq!(keys(bytes), *expected, "{bytes:?}");
    }
    let mut endless = b"\x1b[".to_vec();
    endless.extend([b'1'; 200]);
    let mut decoder = Decoder::default();
    assert_eq!(decoder.feed(&endless), []);
    assert_eq!(decoder.deadline(), None, "it is given up");
    let mut endless = b"\x1b]1".to_vec();
    endless.extend([b'K'; 2 * MAX_STRING]);
    assert_eq!(decoder.feed(&endless), []);
    assert_eq!(decoder.deadline(), None, "it is given up");
}

#[test]
fn a_wait_is_short_where_a_key_may_be_over() {
    let deadline = |bytes: &[u8]| {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.deadline()
    };
    for bytes in [&b"\x1b"[..], b"\x1b[", b"\x1bO", b"\x1b]"] {
        assert_eq!(deadline(bytes), Some(ESCAPE_TIMEOUT), "{bytes:?}");
    }
    for bytes in [&b"\x1b[1"[..], b"\x1b[200~", b"\x1b[200~x\x1b"] {
        assert_eq!(deadline(bytes), Some(SILENCE_TIMEOUT), "{bytes:?}");
    }
    for bytes in [&b"q"[..], b"", b"\xe6\xb5"] {
        assert_eq!(deadline(bytes), None, "{bytes:?}");
    }
}

fn paste(text: &str) -> Input {
    Input::Paste(text.to_owned())
}

#[test]
fn a_paste_is_one_text() {
    assert_eq!(
        inputs(b"/\x1b[200~state \x1b[31mestab\xff\x03\r\x1b[201~q"),
        [
            Input::Key(Key::Char('/')),
            paste("state \x1b[31mestab\u{fffd}\x03\r"),
            Input::Key(Key::Char('q')),
        ]
    );
    assert_eq!(inputs(b"\x1b[200~\x1b[201~"), [paste("")]);
    assert_eq!(
        inputs(b"\x1b[200~a\x1b[200~b\x1b[201~"),
        [paste("a\x1b[200~b")]
    );
}

#[test]
fn a_paste_without_an_end_is_over_after_silence_or_by_ctrl_c() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.feed(b"\x1b[200~abc\x1b[20"), []);
    assert_eq!(decoder.deadline(), Some(SILENCE_TIMEOUT));
    assert_eq!(decoder.expire(), [paste("abc\x1b[20")]);
    assert_eq!(decoder.deadline(), None);
    assert_eq!(decoder.feed(b"q"), [Input::Key(Key::Char('q'))]);

    assert_eq!(decoder.feed(b"\x1b[200~abc"), []);
    assert_eq!(
        decoder.feed(b"\x03"),
        [paste("abc"), Input::Key(Key::Ctrl('c'))]
    );
}

#[test]
fn the_rest_of_a_paste_that_is_too_long_is_not_keys() {
    let mut decoder = Decoder::default();
    assert_eq!(decoder.feed(b"\x1b[200~"), []);
    for _ in 0..MAX_PASTE / 1000 + 10 {
        assert_eq!(decoder.feed(&[b'K'; 1000]), []);
    }
    let ended = decoder.feed(b"Ky\x1b[201~q");
    assert_eq!(
        ended,
        [paste(&"K".repeat(MAX_PASTE)), Input::Key(Key::Char('q'))]
    );
}

/// Bytes of which sequences are made, more often than others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => prop::sample::select(b"\x1b[<;:0123456789~MmAOPu?]_\\\x07\x03 $".to_vec()),
        1 => any::<u8>(),
    ]
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let whole = [
        "\x1b[A",
        "\x1b[200~",
        "\x1b[201~",
        "\x1b[<0;1;1M",
        "浏",
        "q",
    ];
    prop_oneof![
        prop::collection::vec(byte(), 1..12),
        prop::sample::select(whole.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
    ]
}

proptest! {
    /// However the bytes are cut into reads, they mean the same.
    #[test]
    fn cuts_change_nothing(
        pieces in prop::collection::vec(piece(), 1..20),
        cuts in prop::collection::vec(1_usize..7, 1..50),
    ) {
        let bytes = pieces.concat();
        // By itself it ends a paste.
        prop_assume!(!bytes.contains(&CTRL_C));
        let mut whole = Decoder::default();
        let mut expected = whole.feed(&bytes);
        expected.extend(whole.expire());
        let mut decoder = Decoder::default();
        let mut found = Vec::new();
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            found.extend(decoder.feed(now));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        found.extend(decoder.expire());
        prop_assert_eq!(found, expected);
    }

    /// After any bytes and silence, a key is that key.
    #[test]
    fn nothing_keeps_the_next_key(pieces in prop::collection::vec(piece(), 1..20)) {
        let mut decoder = Decoder::default();
        decoder.feed(&pieces.concat());
        if decoder.deadline().is_some() {
            decoder.expire();
        }
        prop_assert_eq!(decoder.deadline(), None);
        let next = decoder.feed(b"q");
        prop_assert_eq!(next.last(), Some(&Input::Key(Key::Char('q'))));
        prop_assert_eq!(decoder.feed(b"\x03"), [Input::Key(Key::Ctrl('c'))]);
    }
}
