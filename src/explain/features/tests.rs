//! Tests: the report on each feature, by gaps and privileges.

use super::*;
use crate::explain::catalogue::Language;
use crate::explain::fixes::{Fix, fixes};
use crate::model::event::{EventSource, EventsUnavailable};
use crate::model::event_history::EventHistory;
use crate::model::finding::{InactiveRule, MissingInput, Rule};
use crate::model::gap::Gap;
use crate::model::privileges::{Hardening, Privileges, ProcessHandleSupport};
use crate::model::text::Text;
use std::sync::Arc;

fn words() -> &'static Catalogue {
    Catalogue::of(Language::English)
}

fn means(uid: u32, capabilities: &[Capability], whole_machine: bool) -> ProbedCapabilities {
    let may_close = capabilities.contains(&Capability::NetAdmin);
    ProbedCapabilities {
        privileges: Privileges {
            uid,
            capabilities: capabilities.iter().copied().collect(),
            is_machine_wide: whole_machine,
            hardening: Hardening {
                least_capabilities: true,
                no_new_privileges: true,
                no_core_dumps: true,
                no_execution: true,
            },
        },
        access_mode: AccessMode::Full,
        process_handles: ProcessHandleSupport::Pidfd,
        close_support: may_close.then_some(()).ok_or(CloseRefusal::NotPermitted),
        program: Text::from("/usr/local/bin/tcplens"),
    }
}

fn seen(gaps: &[(GapKind, u64, GapReason)]) -> Observation {
    Observation {
        gaps: gaps
            .iter()
            .map(|(kind, count, reason)| Gap {
                kind: *kind,
                count: *count,
                reason: *reason,
            })
            .collect(),
        event_history: Arc::new(EventHistory {
            source: EventSource::StateChanges,
            ..EventHistory::default()
        }),
        ..Observation::default()
    }
}

fn hidden() -> Observation {
    seen(&[
        (GapKind::ProcessesUnreadable, 9, GapReason::Permission),
        (GapKind::OwnersHidden, 2, GapReason::Permission),
        (GapKind::NamespacesUnreadable, 1, GapReason::Permission),
    ])
}

fn supports(observation: &Observation, means: &ProbedCapabilities) -> Vec<Support> {
    feature_reports(observation, means, NamespaceScope::All)
        .iter()
        .map(|verdict| verdict.support)
        .collect()
}

fn sentence(ability: Feature, observation: &Observation, means: &ProbedCapabilities) -> String {
    let verdicts = feature_reports(observation, means, NamespaceScope::All);
    let found = verdicts.iter().find(|verdict| verdict.feature == ability);
    found.unwrap().sentence(words())
}

#[test]
fn root_of_the_whole_machine_can_do_everything() {
    let root = means(0, &Capability::ALL, true);
    let seen = seen(&[]);
    assert_eq!(supports(&seen, &root), [Support::Full; 8]);
    assert_eq!(
        fixes(
            &feature_reports(&seen, &root, NamespaceScope::All),
            &root,
            words()
        ),
        []
    );
}

#[test]
fn an_ordinary_user_is_told_the_commands_that_would_help() {
    let user = means(1000, &[], true);
    let seen = hidden();
    let expected = [
        Support::Full,
        Support::Partial,
        Support::Partial,
        Support::Full,
        Support::Full,
        Support::Partial,
        Support::Unavailable,
        Support::Full,
    ];
    assert_eq!(supports(&seen, &user), expected);
    let owners = sentence(Feature::Owners, &seen, &user);
    assert!(owners.contains("looked into: 9.") && owners.contains("one of them: 2."));
    let advice = fixes(
        &feature_reports(&seen, &user, NamespaceScope::All),
        &user,
        words(),
    );
    let typed: Vec<&str> = advice
        .iter()
        .filter_map(|piece| match piece {
            Fix::Command(line) => Some(line.as_str()),
            Fix::Text(_) => None,
        })
        .collect();
    let all = "cap_dac_read_search,cap_sys_ptrace,cap_kill,cap_net_admin";
    let setcap = format!("sudo setcap {all}=ep /usr/local/bin/tcplens");
    assert_eq!(
        typed,
        [
            "sudo /usr/local/bin/tcplens",
            "sudo chown root:adm /usr/local/bin/tcplens",
            "sudo chmod 0750 /usr/local/bin/tcplens",
            &setcap,
        ]
    );
}

#[test]
fn rules_without_anything_to_judge_by_are_named() {
    let blind = |rule, lacks| InactiveRule {
        rule,
        missing: lacks,
    };
    let seen = Observation {
        inactive_rules: vec![
            blind(Rule::AcceptQueue, MissingInput::Backlog),
            blind(Rule::Orphans, MissingInput::Settings),
        ],
        ..Observation::default()
    };
    let root = means(0, &Capability::ALL, true);
    let said = sentence(Feature::Detection, &seen, &root);
    assert!(
        said.contains("accept_queue (backlog), orphans (settings)."),
        "{said}"
    );
}

#[test]
fn refusals_to_root_come_without_advice() {
    let root = means(0, &Capability::ALL, true);
    let seen = seen(&[(GapKind::ProcessesUnreadable, 1, GapReason::Permission)]);
    assert!(sentence(Feature::Owners, &seen, &root).contains("even these privileges"));
    assert_eq!(
        fixes(
            &feature_reports(&seen, &root, NamespaceScope::All),
            &root,
            words()
        ),
        []
    );
}

#[test]
fn the_root_of_a_container_is_told_what_its_container_lacks() {
    let some = [Capability::DacReadSearch, Capability::Kill];
    let docker = means(0, &some, true);
    let advised = fixes(
        &feature_reports(&hidden(), &docker, NamespaceScope::All),
        &docker,
        words(),
    );
    let added = "--cap-add SYS_PTRACE --cap-add NET_ADMIN --cap-add SYS_ADMIN";
    assert_eq!(advised.last(), Some(&Fix::Command(added.to_owned())));
    let rootless = means(0, &some, false);
    let advised = fixes(
        &feature_reports(&hidden(), &rootless, NamespaceScope::All),
        &rootless,
        words(),
    );
    assert!(matches!(&advised[..], [Fix::Text(only)] if only.contains("user namespace")));
}

#[test]
fn each_lack_has_its_own_words() {
    let root = means(0, &Capability::ALL, true);
    let with = |change: &dyn Fn(&mut ProbedCapabilities)| {
        let mut changed = root.clone();
        change(&mut changed);
        changed
    };
    let nothing = seen(&[]);
    let look = with(&|means| means.access_mode = AccessMode::ReadOnly);
    for ability in [Feature::SignalProcesses, Feature::CloseConnections] {
        assert!(sentence(ability, &nothing, &look).contains("--read-only"));
    }
    let foreign = with(&|means| means.process_handles = ProcessHandleSupport::Unavailable);
    assert!(sentence(Feature::SignalProcesses, &nothing, &foreign).contains("PID namespace"));
    let old = with(&|means| means.process_handles = ProcessHandleSupport::PidOnly);
    assert!(sentence(Feature::SignalProcesses, &nothing, &old).contains("--allow-racy-kill"));
    let built = with(&|means| means.close_support = Err(CloseRefusal::Unsupported));
    assert!(
        sentence(Feature::CloseConnections, &nothing, &built).contains("CONFIG_INET_DIAG_DESTROY")
    );
    let odd = with(&|means| means.close_support = Err(CloseRefusal::Failed(Text::from("odd"))));
    assert!(sentence(Feature::CloseConnections, &nothing, &odd).ends_with("odd"));
    let loose = with(&|means| means.privileges.hardening.no_core_dumps = false);
    assert_eq!(supports(&nothing, &loose)[7], Support::Partial);
    let unfiltered = with(&|means| means.privileges.hardening.no_execution = false);
    assert_eq!(supports(&nothing, &unfiltered)[7], Support::Full);
    let said = sentence(Feature::Hardening, &nothing, &unfiltered);
    assert!(said.contains("seccomp"), "{said}");
    let starved = seen(&[(GapKind::ProcessesUnreadable, 3, GapReason::DescriptorLimit)]);
    assert!(sentence(Feature::Owners, &starved, &root).contains("ulimit"));
    let unread = seen(&[(GapKind::TablesUnreadable, 1, GapReason::Permission)]);
    assert_eq!(supports(&unread, &root)[0], Support::Partial);
    let own = feature_reports(&nothing, &root, NamespaceScope::Current);
    assert!(own[2].sentence(words()).contains("key N"));
}

#[test]
fn every_event_source_has_its_messages() {
    let user = means(1000, &[], true);
    let judged = |feed| {
        let mut seen = seen(&[]);
        seen.event_history = Arc::new(EventHistory {
            source: feed,
            ..EventHistory::default()
        });
        let said = sentence(Feature::Events, &seen, &user);
        assert!(!said.is_empty(), "{feed:?}");
        supports(&seen, &user)[3]
    };
    assert_eq!(judged(EventSource::StateChanges), Support::Full);
    assert_eq!(judged(EventSource::Off), Support::Unavailable);
    assert_eq!(
        judged(EventSource::DestroyedOnly(EventsUnavailable::NotPermitted)),
        Support::Partial
    );
    for (reason, key) in EventsUnavailable::ALL {
        judged(EventSource::Unavailable(reason));
        for name in [key.to_owned(), format!("{key}_long")] {
            assert!(!words().screen("feed", &name).is_empty(), "{name}");
        }
    }
    for name in ["changes", "off", "endings"] {
        for name in [name.to_owned(), format!("{name}_long")] {
            assert!(!words().screen("feed", &name).is_empty(), "{name}");
        }
    }
}

#[test]
fn every_ability_and_standing_has_its_name() {
    for ability in Feature::ALL {
        let name = words().ability(ability.key(), "name");
        assert!((1..=17).contains(&name.len()), "{ability:?}");
    }
    for standing in [Support::Full, Support::Partial, Support::Unavailable] {
        assert!(!words().ability("standings", standing.key()).is_empty());
    }
}

#[test]
fn process_1_alone_lacks_nothing_unless_a_socket_lacks_its_owner() {
    let init = (GapKind::InitUnreadable, 1, GapReason::Permission);
    let all = seen(&[init]);
    let means = means(0, &Capability::ALL, true);
    let standings = supports(&all, &means);
    assert!(
        standings.iter().all(|one| *one == Support::Full),
        "{standings:?}"
    );
    let said = sentence(Feature::Owners, &all, &means);
    assert!(said.contains("but process 1"), "{said}");
    let said = sentence(Feature::Namespaces, &all, &means);
    assert!(said.contains("other than process 1"), "{said}");
    let concerned = seen(&[init, (GapKind::OwnersHidden, 1, GapReason::Permission)]);
    let verdicts = feature_reports(&concerned, &means, NamespaceScope::All);
    assert_eq!(verdicts[1].support, Support::Partial);
}

#[test]
fn what_hidepid_hides_has_no_number() {
    let hidepid = seen(&[
        (GapKind::ProcessesHidden, 1, GapReason::Hidepid),
        (GapKind::OwnersHidden, 3, GapReason::Hidepid),
    ]);
    let means = means(1000, &[], true);
    let owners = sentence(Feature::Owners, &hidepid, &means);
    assert!(
        owners.contains("hidden by hidepid; their number is unknown"),
        "{owners}"
    );
    assert!(owners.ends_with("one of them: 3."), "{owners}");
    let namespaces = sentence(Feature::Namespaces, &hidepid, &means);
    assert!(namespaces.contains("hidden by hidepid"), "{namespaces}");
}

/// An unreadable uid map alone does not make a rootless container.
#[test]
fn without_proc_the_first_thing_is_to_mount_it() {
    let missing = seen(&[
        (GapKind::ProcMissing, 1, GapReason::NoProc),
        (GapKind::OwnersHidden, 3, GapReason::NoProc),
    ]);
    let means = means(0, &Capability::ALL, false);
    let owners = sentence(Feature::Owners, &missing, &means);
    assert!(owners.contains("/proc is not mounted"), "{owners}");
    let advised = fixes(
        &feature_reports(&missing, &means, NamespaceScope::All),
        &means,
        words(),
    );
    let mount = Fix::Command("mount -t proc proc /proc".to_owned());
    assert_eq!(advised.len(), 2, "{advised:?}");
    assert_eq!(advised[1], mount);
}
