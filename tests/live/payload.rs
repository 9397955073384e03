//! What connections carried, told with their ends, against what was sent.

use super::events::Watch;
use super::namespace::{LabNamespace, NotHere};
use super::patience::wait_for;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use tcplens::model::tcp_info::Payload;

/// How many connections of each kind: so that all their lines are in the stream
/// at once.
const EACH: u64 = 8;

/// Who closes how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// The client closes and waits for nothing.
    Client,
    /// The server does.
    Server,
    /// The client says that it has sent all, and reads to the end.
    FinWait2Evidence,
    /// The client breaks off.
    Reset,
}

const ORDERS: [Order; 4] = [
    Order::Client,
    Order::Server,
    Order::FinWait2Evidence,
    Order::Reset,
];

/// What a connection is to carry.
#[derive(Clone, Copy)]
struct Load {
    order: Order,
    asked: u64,
    answered: u64,
}

/// Some of each kind, with and without data each way.
fn loads(order: Order) -> impl Iterator<Item = Load> {
    let kinds = [(0, 0), (1, 0), (0, 1), (700, 90_000)];
    let each = kinds
        .into_iter()
        .flat_map(|kind| (0..EACH).map(move |_| kind));
    each.map(move |(asked, answered)| Load {
        order,
        asked,
        answered,
    })
}

fn write(to: &mut TcpStream, count: u64) {
    to.write_all(&vec![7; count.try_into().unwrap()]).unwrap();
}

fn read(from: &mut TcpStream, count: u64) {
    let mut bytes = vec![0; count.try_into().unwrap()];
    from.read_exact(&mut bytes).unwrap();
}

fn serve(mut client: TcpStream, load: Load) {
    read(&mut client, load.asked);
    if load.order == Order::FinWait2Evidence {
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
    }
    write(&mut client, load.answered);
    if matches!(load.order, Order::Client | Order::Reset) {
        let _ = client.read(&mut [0]);
    }
}

fn ask(mut server: TcpStream, load: Load) {
    write(&mut server, load.asked);
    if load.order == Order::FinWait2Evidence {
        server.shutdown(Shutdown::Write).unwrap();
    }
    read(&mut server, load.answered);
    match load.order {
        Order::Client => {}
        Order::Server | Order::FinWait2Evidence => assert_eq!(server.read(&mut [0]).unwrap(), 0),
        Order::Reset => {
            rustix::net::sockopt::set_socket_linger(&server, Some(std::time::Duration::ZERO))
                .unwrap();
        }
    }
}

/// Each one after the other; the clients' ends with what they carried.
fn exchange(order: Order) -> (u16, Vec<(u16, Load)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let (hand, taken) = mpsc::channel();
    let server = thread::spawn(move || {
        for load in taken {
            let (client, _) = listener.accept().unwrap();
            serve(client, load);
        }
    });
    let clients = loads(order).map(|load| {
        hand.send(load).unwrap();
        let connection = TcpStream::connect(to).unwrap();
        let end = connection.local_addr().unwrap().port();
        ask(connection, load);
        (end, load)
    });
    let clients = clients.collect();
    drop(hand);
    server.join().unwrap();
    (to.port(), clients)
}

pub(crate) fn is_told_with_the_end(_: &LabNamespace) -> Result<(), NotHere> {
    let mut watch = Watch::begin(1)?;
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    for order in ORDERS {
        let (port, clients) = exchange(order);
        // With the peer, whoever breaks off forgets what it carried.
        let told_of = if order == Order::Reset { 1 } else { 2 };
        let told_of = told_of * clients.len();
        let told = wait_for("every end", || {
            let last = watch.look();
            let ends = last.event_history.events.iter().filter_map(|line| {
                let ends = (line.local.port, line.remote.port);
                let ours = ends.0 == port || ends.1 == port;
                ours.then_some((ends, line.payload?))
            });
            let told: BTreeMap<(u16, u16), Payload> = ends.collect();
            (told.len() >= told_of).then_some(told)
        });
        for (client, load) in clients {
            let (asked, answered) = (load.asked, load.answered);
            let ends = [
                ("client", (client, port), answered, asked),
                ("server", (port, client), asked, answered),
            ];
            for (who, ports, received, sent) in ends {
                let expected = Payload { received, sent };
                let known = order != Order::Reset || who == "server";
                let mut told = told.get(&ports).copied();
                // Where the peer's FIN came with the acknowledgement of ours, and
                // the program waited for it, it may count as a byte of data.
                let doubtful = order == Order::FinWait2Evidence && who == "client" && received > 0;
                if let Some(told) = told.as_mut().filter(|_| doubtful) {
                    told.received -= u64::from(told.received == received + 1);
                }
                if told != known.then_some(expected) {
                    let case = format!("{who} {order:?}: {told:?} for {expected:?}");
                    *wrong.entry(case).or_default() += 1;
                }
            }
        }
        println!("{order:?}: bytes of {told_of} ends told");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
