//! Privileges used by a plan: all others are dropped before the first file is
//! opened.

use super::plan::{ConfigAction, Plan, Watching};
use crate::model::action::Policy;
use crate::model::event::EventsChoice;
use crate::model::namespace::Scope;
use crate::model::powers::Capability;

/// Finding the owners of sockets takes both.
const OWNERS: [Capability; 2] = [Capability::DacReadSearch, Capability::SysPtrace];

/// Returns the capabilities used by a plan.
pub(super) fn of(plan: &Plan) -> Vec<Capability> {
    match plan {
        // The settings of who called sudo may be theirs alone.
        Plan::Config(ConfigAction::Show, _) => vec![Capability::DacReadSearch],
        Plan::Say(_) | Plan::Explain(..) | Plan::Config(..) => Vec::new(),
        Plan::Check(check) => {
            let mut used = OWNERS.to_vec();
            // Events come through tracefs, which must be mounted where it is
            // not; without them, it is only for other namespaces. As tracefs
            // belongs to root, its files themselves take no capability.
            if check.scope == Scope::All || check.events != Some(EventsChoice::Off) {
                used.push(Capability::SysAdmin);
            }
            used
        }
        Plan::SaveBaseline(_) => OWNERS.to_vec(),
        Plan::List(list) => reading(&list.watching),
        Plan::ExplainSockets(watching, _) => reading(watching),
        // It reports everything that the live table could do.
        Plan::Doctor(..) => Capability::ALL.to_vec(),
        Plan::Live(live) => {
            let mut used = OWNERS.to_vec();
            // A key may request other namespaces at any time, and events may
            // need a mount.
            used.push(Capability::SysAdmin);
            if live.policy == Policy::Act {
                used.extend([Capability::Kill, Capability::NetAdmin]);
            }
            used
        }
        Plan::Kill(acting, ..) => with(reading(&acting.watching), Capability::Kill),
        Plan::Close(acting) => with(reading(&acting.watching), Capability::NetAdmin),
        // Building the lab needs more, all in its own namespace; actions in it
        // are a plan of their own.
        Plan::Lab(_, watch) => of(watch),
    }
}

/// Additional capabilities of a lab session: its rig may have to be set up
/// again, with its device, in its own namespace.
pub(super) const LESSON: [Capability; 2] = [Capability::NetAdmin, Capability::NetRaw];

fn with(mut used: Vec<Capability>, further: Capability) -> Vec<Capability> {
    used.push(further);
    used
}

fn reading(watching: &Watching) -> Vec<Capability> {
    scoped(watching.scope)
}

fn scoped(scope: Scope) -> Vec<Capability> {
    let mut used = OWNERS.to_vec();
    if scope == Scope::All {
        used.push(Capability::SysAdmin);
    }
    used
}
