//! Names the unit that opened the sockets of a finding about a process which is not
//! seen. All of them must have been opened by the same one.

use crate::model::finding::Finding;
use crate::model::opener::Openers;
use crate::model::row::{Phase, Row};
use crate::model::socket::SocketKey;
use crate::model::unit::Unit;
use std::sync::Arc;

/// Gives findings without a process the unit that opened their sockets.
pub(in crate::monitor) fn name_openers(
    findings: &mut [Finding],
    rows: &[Row],
    openers: &Openers<SocketKey>,
) {
    if openers.is_empty() {
        return;
    }
    for finding in findings {
        let is_unseen = finding.process.is_none() && finding.holder.unknown.is_some();
        finding.holder.opener = is_unseen
            .then(|| common_opener(finding, rows, openers))
            .flatten();
    }
}

fn common_opener(
    finding: &Finding,
    rows: &[Row],
    openers: &Openers<SocketKey>,
) -> Option<Arc<Unit>> {
    let lead = finding.row_selector();
    let unseen = finding.holder.unknown?;
    let mut concerned = rows.iter().filter(|row| {
        row.no_owner_reason == Some(unseen.reason)
            && row.phase != Phase::Closed
            && row.socket.namespace == unseen.namespace
            && lead.matches(&row.socket)
    });
    let place = |row: &Row| openers.place(&row.socket.key());
    let first = place(concerned.next()?)?;
    let is_common = concerned.all(|row| place(row) == Some(first));
    openers.units().get(first).filter(|_| is_common).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::endpoint::Endpoint;
    use crate::model::owner::{OwnerSearch, OwnerSpan};
    use crate::model::reading::Snapshot;
    use crate::model::socket::Socket;
    use crate::model::state::State;
    use crate::monitor::Monitor;
    use crate::monitor::fixture::{reading, table, with_cookie};

    /// Sixty sockets of a hidden user on one port, in `CLOSE_WAIT`, opened by these
    /// units in turn.
    fn leak(units: &[Option<Arc<Unit>>]) -> Snapshot {
        let port = Endpoint::new([192, 0, 2, 10].into(), 8081);
        let sockets: Vec<Socket> = (1..=60)
            .map(|number| Socket {
                local: port,
                uid: 1001,
                ..with_cookie(number, State::CloseWait)
            })
            .collect();
        let mut hidden = table(&sockets);
        hidden.owner_search = OwnerSearch::Partial;
        hidden.holders.clear();
        hidden.owners.fill(OwnerSpan::default());
        let opened = (0..60_u32).zip(units.iter().cycle());
        let opened = opened.filter_map(|(place, unit)| Some((place, unit.clone()?)));
        hidden.openers = Openers::new(opened);
        hidden
    }

    #[test]
    fn a_finding_names_the_unit_that_opened_all_of_its_sockets() {
        let unit = |name| Some(Arc::new(Unit::system(name)));
        let (web, database) = (unit("web.service"), unit("db.service"));
        for (units, expected) in [
            (vec![web.clone()], Some("web.service")),
            (vec![web.clone(), database], None),
            (vec![web, None], None),
            (vec![None], None),
        ] {
            let mut monitor = Monitor::default();
            for second in [0, 30, 60, 70] {
                monitor.fold(reading(second * 1000, leak(&units)));
            }
            let seen = monitor.fold(reading(71_000, leak(&units))).unwrap();
            let [found] = seen.findings.as_slice() else {
                panic!("{:?}", seen.findings)
            };
            let named = |unit: &Arc<Unit>| unit.as_str().to_owned();
            let opener = found.holder.opener.as_ref().map(named);
            assert_eq!(opener.as_deref(), expected, "{units:?}");
            let mut rows = seen.rows.iter();
            let first = rows.find(|row| row.socket.cookie.is_some_and(|cookie| cookie.get() == 2));
            let opener = seen.opener(first.unwrap()).map(named);
            assert_eq!(opener, units[0].as_ref().map(named), "{units:?}");
        }
    }
}
