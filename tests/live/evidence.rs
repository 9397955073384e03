//! Facts of the kernel that a diagnosis rests on.

use super::namespace::{Namespace, NotHere};
use super::patience::wait_for;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use tcplens::model::reading::Matter;
use tcplens::model::socket::Socket;
use tcplens::model::state::State;
use tcplens::model::tcp_info::TcpInfo;
use tcplens::source::ReadingSource;
use tcplens::source::live::{Live, LiveOptions};

/// All sockets as the table has them.
fn table(live: &mut Live) -> Vec<Socket> {
    match live.read_table().unwrap().matter {
        Matter::Table(table) => table.sockets,
        other => panic!("{other:?}"),
    }
}

/// Whether the counters of a connection say that its end dialled.
fn dialled(live: &mut Live, port: u16, state: State) -> Option<bool> {
    info(live, port, state)?.dialled(state)
}

fn info(live: &mut Live, port: u16, state: State) -> Option<TcpInfo> {
    let socket = table(live)
        .into_iter()
        .find(|socket| (socket.local.port, socket.state) == (port, state))?;
    match live.read_details(&[socket]).matter {
        Matter::Details(details) => Some(details.into_iter().next()?.1),
        other => panic!("{other:?}"),
    }
}

/// What shutdown(2) was told, which `FIN_WAIT2` alone does not show.
pub(crate) fn tells_which_halves_are_shut(_: &Namespace) -> Result<(), NotHere> {
    let mut live = Live::open(&LiveOptions::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    for (how, both) in [(Shutdown::Write, false), (Shutdown::Both, true)] {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        client.shutdown(how).unwrap();
        let port = client.local_addr().unwrap().port();
        let told = wait_for("the FIN to be acknowledged", || {
            info(&mut live, port, State::FinWait2)?.receiving_shut
        });
        assert_eq!(told, both, "{how:?}");
        drop(server);
    }
    Ok(())
}

/// The listener is gone, and neither end was seen before: only what was
/// acknowledged tells who opened the connection.
pub(crate) fn tells_who_dialled(_: &Namespace) -> Result<(), NotHere> {
    let mut live = Live::open(&LiveOptions::default()).unwrap();
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
