//! Healthy loads, with real sockets, in which nothing may be found but what is
//! said of each.

use super::hunt::Hunt;
use super::namespace::{LabNamespace, NotHere};
use super::troubles::ask_silence;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;
use tcplens::model::finding::{Rule, Severity};
use tcplens::monitor::Thresholds;

/// For how many tables each is watched.
const TABLES: u32 = 6;

/// A server on every address of the loopback network.
struct Servers {
    listener: TcpListener,
    port: u16,
}

impl Servers {
    fn open() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// A connection to one of them: both ends.
    fn reach(&self, number: u16) -> (TcpStream, TcpStream) {
        let [high, low] = (number + 256).to_be_bytes();
        let host = Ipv4Addr::new(127, 1, high, low);
        let client = TcpStream::connect((host, self.port)).unwrap();
        let (server, _) = self.listener.accept().unwrap();
        (client, server)
    }
}

/// 200 connections to 60 hosts; three hosts are silent, and at times the loser
/// of a race between two addresses is closed before it is answered.
pub(crate) fn a_browser(_: &LabNamespace) -> Result<(), NotHere> {
    let servers = Servers::open();
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    let mut kept = Vec::new();
    let mut silent = Vec::new();
    hunt.through(TABLES, |table| {
        let first = u16::try_from(table).unwrap() * 25;
        kept.extend((first..first + 25).map(|number| servers.reach(number % 60)));
        kept.drain(..kept.len().saturating_sub(60));
        for loser in 0..4 {
            drop(ask_silence(first + loser, 443));
        }
        if silent.len() < 3 {
            silent.push(ask_silence(1000 + first, 443));
        }
    });
    hunt.end();
    Ok(())
}

/// Two backends of twenty are dead, and 100 sockets wait for them.
pub(crate) fn a_balancer(_: &LabNamespace) -> Result<(), NotHere> {
    let servers = Servers::open();
    let dead = (Rule::DeadDestination, Severity::Info);
    let thresholds = Thresholds {
        dead_after: Duration::from_secs(4),
        ..Thresholds::default()
    };
    println!("dead after 4 s instead of 10");
    let mut hunt = Hunt::begin(thresholds, &[]);
    let mut waiting = Vec::new();
    hunt.until_found(dead, || {
        for number in 0..54 {
            drop(servers.reach(number % 18));
        }
        if waiting.len() < 100 {
            waiting.extend((0..10).map(|number| ask_silence(number % 2, 8080)));
        }
    });
    hunt.end();
    Ok(())
}

/// Strangers are asked once each, so many in a table; every nth is silent.
fn strangers(servers: &Servers, in_a_table: u16, nth: u16, hunt: &mut Hunt) {
    let mut silent = Vec::new();
    hunt.through(TABLES, |table| {
        let first = u16::try_from(table).unwrap() * in_a_table;
        for number in first..first + in_a_table {
            if number % nth == 0 {
                silent.push(ask_silence(number, 80));
            } else {
                drop(servers.reach(number));
            }
        }
    });
}

/// A fifth of the hosts that a crawler asks is dead.
pub(crate) fn a_crawler(_: &LabNamespace) -> Result<(), NotHere> {
    let servers = Servers::open();
    let allowed = [(Rule::OutboundScan, Severity::Warning)];
    let mut hunt = Hunt::begin(Thresholds::default(), &allowed);
    strangers(&servers, 100, 5, &mut hunt);
    hunt.end();
    Ok(())
}

/// Of 1,000 targets of a health checker 3 % are dead.
pub(crate) fn a_health_checker(_: &LabNamespace) -> Result<(), NotHere> {
    let servers = Servers::open();
    let mut hunt = Hunt::begin(Thresholds::default(), &[]);
    strangers(&servers, 167, 33, &mut hunt);
    hunt.end();
    Ok(())
}
