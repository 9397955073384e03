//! The kernel's answers: text lines and netlink messages.

use super::LADDER;
use divan::Bencher;
use divan::counter::ItemsCount;
use std::fmt::Write as _;
use tcplens::model::protocol::Protocol;
use tcplens::source::diag_message::{self, DiagPayload};
use tcplens::source::proc_net;

#[divan::bench(args = LADDER)]
fn lines_of_proc(bencher: Bencher<'_, '_>, sockets: u32) {
    let mut text = String::from("  sl  local_address rem_address   st\n");
    for number in 0..sockets {
        let _ = writeln!(
            text,
            "{number:4}: 0100007F:{:04X} 0100007F:1F90 01 00000000:00000000 02:000A7E2C 00000000  1000        0 {} 2 ffff8881 20 4 30 10 -1",
            number % 65_536,
            100_000 + number
        );
    }
    bencher
        .counter(ItemsCount::new(sockets))
        .bench_local(|| proc_net::parse_table(text.as_bytes(), Protocol::Tcp, 1));
}

#[divan::bench(args = LADDER)]
fn messages_of_sock_diag(bencher: Bencher<'_, '_>, sockets: u32) {
    let mut bytes = Vec::new();
    for number in 0..sockets {
        // A header of sixteen bytes, a message of 72, eight of attributes.
        bytes.extend_from_slice(&96_u32.to_ne_bytes());
        bytes.extend_from_slice(&20_u16.to_ne_bytes());
        bytes.extend_from_slice(&2_u16.to_ne_bytes());
        bytes.extend_from_slice(&[0; 8]);
        let mut message = [0_u8; 80];
        message[..2].copy_from_slice(&[2, 1]);
        message[4..6].copy_from_slice(&[0x1f, 0x90]);
        message[44..48].copy_from_slice(&number.to_ne_bytes());
        message[68..72].copy_from_slice(&number.to_ne_bytes());
        message[72..76].copy_from_slice(&[5, 0, 8, 0]);
        bytes.extend_from_slice(&message);
    }
    bencher.counter(ItemsCount::new(sockets)).bench_local(|| {
        diag_message::messages(&bytes)
            .filter_map(|message| match message.payload {
                DiagPayload::Socket(entry) => entry.decode_socket(Protocol::Tcp, 1),
                _ => None,
            })
            .count()
    });
}
