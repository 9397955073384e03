//! Facts of the kernel that a diagnosis rests on.

use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use tcplens::model::reading::ReadingKind;
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::model::tcp_info::TcpInfo;
use tcplens::source::ReadingSource;
use tcplens::source::live::{LiveOptions, LiveSource};

/// All sockets as the table has them.
fn table(live: &mut LiveSource) -> Vec<Socket> {
    match live.read_table().unwrap().kind {
        ReadingKind::Table(table) => table.sockets,
        other => panic!("{other:?}"),
    }
}

/// Whether the counters of a connection say that its end dialled.
fn dialled(live: &mut LiveSource, port: u16, state: State) -> Option<bool> {
    info(live, port, state)?.is_initiator(state)
}

fn info(live: &mut LiveSource, port: u16, state: State) -> Option<TcpInfo> {
    let socket = table(live)
        .into_iter()
        .find(|socket| (socket.local.port, socket.state) == (port, state))?;
    match live.read_details(&[socket]).kind {
        ReadingKind::Details(details) => Some(details.into_iter().next()?.1),
        other => panic!("{other:?}"),
    }
}

/// What shutdown(2) was told, which `FIN_WAIT2` alone does not show.
pub(crate) fn tells_which_halves_are_shut(_: &LabNamespace) -> Result<(), NotHere> {
    let mut live = LiveSource::open(&LiveOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (how, both) in [(Shutdown::Write, false), (Shutdown::Both, true)] {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.shutdown(how).unwrap();
        let port = client.local_addr().unwrap().port();
        let told = wait_for("the FIN to be acknowledged", || {
            info(&mut live, port, State::FinWait2)?.receive_shutdown
        });
        assert_eq!(told, both, "{how:?}");
        drop(server);
    }
    Ok(())
}

/// Of `::`, whether IPv4 comes with it; of others the kernel does not tell, or
/// it means nothing.
pub(crate) fn tells_who_takes_ipv6_alone(_: &LabNamespace) -> Result<(), NotHere> {
    const DEFAULT: &str = "/proc/sys/net/ipv6/bindv6only";
    let mut live = LiveSource::open(&LiveOptions::default()).unwrap();
    for (setting, only) in [("0", false), ("1", true)] {
        std::fs::write(DEFAULT, setting).unwrap();
        let listener = TcpListener::bind("[::]:0").unwrap();
        let datagrams = UdpSocket::bind("[::]:0").unwrap();
        let old = TcpListener::bind("127.0.0.1:0").unwrap();
        let table = table(&mut live);
        let told = |port: u16| {
            let mut sockets = table.iter();
            sockets
                .find(|socket| socket.local.port == port)
                .unwrap()
                .is_v6_only()
        };
        assert_eq!(told(listener.local_addr().unwrap().port()), Some(only));
        assert_eq!(told(datagrams.local_addr().unwrap().port()), Some(only));
        assert_eq!(told(old.local_addr().unwrap().port()), None);
    }
    Ok(())
}

/// The listener is gone, and neither end was seen before: only what was
/// acknowledged tells who opened the connection.
pub(crate) fn tells_who_dialled(_: &LabNamespace) -> Result<(), NotHere> {
    let mut live = LiveSource::open(&LiveOptions::default()).unwrap();
    for (address, carried) in [("127.0.0.1:0", 0), ("127.0.0.1:0", 70_000), ("[::1]:0", 9)] {
        let listener = TcpListener::bind(address).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        drop(listener);
        let bytes = vec![7; carried];
        std::thread::scope(|scope| {
            scope.spawn(|| client.write_all(&bytes).unwrap());
            server.read_exact(&mut bytes.clone()).unwrap();
        });
        server.write_all(b"answer").unwrap();
        let ports = [&client, &server].map(|end| end.local_addr().unwrap().port());
        let mut both = |states: [State; 2], told: [bool; 2]| {
            for ((port, state), told) in ports.into_iter().zip(states).zip(told) {
                let found = wait_for("what was sent to be acknowledged", || {
                    dialled(&mut live, port, state)
                });
                assert_eq!(found, told, "{address} {state}");
            }
        };
        both([State::Established; 2], [true, false]);
        client.shutdown(Shutdown::Write).unwrap();
        both([State::FinWait2, State::CloseWait], [true, false]);
        println!("{address}: {carried} bytes, and both ends knew who dialled");
    }
    Ok(())
}
