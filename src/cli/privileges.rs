//! Privileges used by a plan: all others are dropped before the first file is
//! opened.

use super::plan::{ConfigAction, Plan, SocketSelection};
use crate::model::action::AccessMode;
use crate::model::event::EventsMode;
use crate::model::namespace::NamespaceScope;
use crate::model::privileges::Capability;

/// Finding the owners of sockets takes both.
const OWNER_CAPABILITIES: [Capability; 2] = [Capability::DacReadSearch, Capability::SysPtrace];

/// Returns the capabilities used by a plan.
pub(super) fn required(plan: &Plan) -> Vec<Capability> {
    match plan {
        // The settings of who called sudo may be theirs alone.
        Plan::Config(ConfigAction::Show, _) => vec![Capability::DacReadSearch],
        Plan::Print(_) | Plan::Explain(..) | Plan::Config(..) => Vec::new(),
        Plan::Check(check) => {
            let mut used = OWNER_CAPABILITIES.to_vec();
            // Events come through tracefs, which must be mounted where it is
            // not; without them, it is only for other namespaces. As tracefs
            // belongs to root, its files themselves take no capability.
            if check.scope == NamespaceScope::All || check.events != Some(EventsMode::Off) {
                used.push(Capability::SysAdmin);
            }
            used
        }
        Plan::SaveBaseline(_) => OWNER_CAPABILITIES.to_vec(),
        Plan::List(list) => selection_capabilities(&list.selection),
        Plan::ExplainSockets(watching, _) => selection_capabilities(watching),
        // It reports everything that the live table could do.
        Plan::Doctor(..) => Capability::ALL.to_vec(),
        Plan::Live(live) => {
            let mut used = OWNER_CAPABILITIES.to_vec();
            // A key may request other namespaces at any time, and events may
            // need a mount.
            used.push(Capability::SysAdmin);
            if live.policy == AccessMode::Full {
                used.extend([Capability::Kill, Capability::NetAdmin]);
            }
            used
        }
        Plan::Kill(acting, ..) => with(selection_capabilities(&acting.selection), Capability::Kill),
        Plan::Close(acting) => with(
            selection_capabilities(&acting.selection),
            Capability::NetAdmin,
        ),
        // Building the lab needs more, all in its own namespace; actions in it
        // are a plan of their own.
        Plan::Lab(_, watch) => required(watch),
    }
}

/// Additional capabilities of a lab session: its rig may have to be set up
/// again, with its device, in its own namespace.
pub(super) const LAB_CAPABILITIES: [Capability; 2] = [Capability::NetAdmin, Capability::NetRaw];

fn with(mut used: Vec<Capability>, further: Capability) -> Vec<Capability> {
    used.push(further);
    used
}

fn selection_capabilities(watching: &SocketSelection) -> Vec<Capability> {
    scope_capabilities(watching.scope)
}

fn scope_capabilities(scope: NamespaceScope) -> Vec<Capability> {
    let mut used = OWNER_CAPABILITIES.to_vec();
    if scope == NamespaceScope::All {
        used.push(Capability::SysAdmin);
    }
    used
}
