//! The running kernel's table with the owners of every socket: the first, the
//! same again, and with a socket that has just come. The sockets are real, in
//! a private network namespace and in one process for each 500.

use super::LADDER;
use divan::Bencher;
use std::cell::RefCell;
use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::sync::OnceLock;
use tcplens::lab::LabError;
use tcplens::lab::load::{Load, LoadSize};
use tcplens::lab::namespace::LabNamespace;
use tcplens::source::ReadingSource;
use tcplens::source::live::{LiveOptions, LiveSource};

const SOCKETS_A_PROCESS: u32 = 500;

static NAMESPACE: OnceLock<Result<LabNamespace, LabError>> = OnceLock::new();

/// Goes where the sockets can be opened. A program may do so only before it has
/// a thread.
pub(crate) fn enter() {
    let entered = LabNamespace::enter();
    if entered.is_ok() {
        // One load must leave nothing behind that the next one is read with.
        let _ = std::fs::write("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
    }
    let _ = NAMESPACE.set(entered);
}

/// The load, unless this machine refuses it.
fn load(sockets: u32) -> Option<Load> {
    let entered = NAMESPACE.get()?.as_ref();
    let started = entered.map_err(ToString::to_string).and_then(|namespace| {
        let mix = LoadSize {
            sockets,
            processes: NonZeroU32::new(sockets / SOCKETS_A_PROCESS).unwrap_or(NonZeroU32::MIN),
        };
        Load::start(namespace, mix).map_err(|error| error.to_string())
    });
    match started {
        Ok(load) => Some(load),
        Err(error) => {
            eprintln!("not measured: {error}");
            None
        }
    }
}

fn open() -> LiveSource {
    let options = LiveOptions {
        resolve_names: false,
        ..LiveOptions::default()
    };
    LiveSource::open(&options).unwrap()
}

#[divan::bench(args = LADDER, sample_count = 20, sample_size = 1)]
fn cold(bencher: Bencher<'_, '_>, sockets: u32) {
    let Some(_load) = load(sockets) else { return };
    bencher.bench_local(|| open().read_table().unwrap());
}

#[divan::bench(args = LADDER, sample_count = 20, sample_size = 1)]
fn warm(bencher: Bencher<'_, '_>, sockets: u32) {
    let Some(_load) = load(sockets) else { return };
    let mut live = open();
    live.read_table().unwrap();
    bencher.bench_local(|| live.read_table().unwrap());
}

#[divan::bench(args = LADDER, sample_count = 20, sample_size = 1)]
fn warm_with_a_newcomer(bencher: Bencher<'_, '_>, sockets: u32) {
    let Some(_load) = load(sockets) else { return };
    let live = RefCell::new(open());
    live.borrow_mut().read_table().unwrap();
    let newcomers = RefCell::new(Vec::new());
    bencher
        .with_inputs(|| {
            let newcomer = UdpSocket::bind("127.0.0.1:0").unwrap();
            newcomers.borrow_mut().push(newcomer);
        })
        .bench_local_values(|()| live.borrow_mut().read_table().unwrap());
}
