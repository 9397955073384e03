//! Tests: the report on each feature, by gaps and privileges.

use super::*;
use crate::explain::catalogue::Language;
use crate::explain::remedy::{Advice, advice};
use crate::model::chronicle::Chronicle;
use crate::model::event::{Feed, NoFeed};
use crate::model::finding::{Blind, Lack, Rule};
use crate::model::gap::Gap;
use crate::model::powers::{Naming, Powers, Restraint};
use crate::model::text::Text;
use std::sync::Arc;

fn words() -> &'static Catalogue {
    Catalogue::of(Language::English)
}

fn means(uid: u32, capabilities: &[Capability], whole_machine: bool) -> Means {
    let may_close = capabilities.contains(&Capability::NetAdmin);
    Means {
        powers: Powers {
            uid,
            capabilities: capabilities.iter().copied().collect(),
            whole_machine,
            restraint: Restraint {
                least_capabilities: true,
                no_new_privileges: true,
                no_core_dumps: true,
                no_execution: true,
            },
        },
        policy: Policy::Act,
        naming: Naming::Surely,
        closing: may_close.then_some(()).ok_or(CloseRefusal::NotPermitted),
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
        chronicle: Arc::new(Chronicle {
            feed: Feed::Changes,
            ..Chronicle::default()
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

fn standings(observation: &Observation, means: &Means) -> Vec<Standing> {
    verdicts(observation, means, Scope::All)
        .iter()
        .map(|verdict| verdict.standing)
        .collect()
}

fn sentence(ability: Ability, observation: &Observation, means: &Means) -> String {
    let verdicts = verdicts(observation, means, Scope::All);
    let found = verdicts.iter().find(|verdict| verdict.ability == ability);
    found.unwrap().sentence(words())
}

#[test]
fn root_of_the_whole_machine_can_do_everything() {
    let root = means(0, &Capability::ALL, true);
    let seen = seen(&[]);
    assert_eq!(standings(&seen, &root), [Standing::Can; 8]);
    assert_eq!(
        advice(&verdicts(&seen, &root, Scope::All), &root, words()),
        []
    );
}

#[test]
fn an_ordinary_user_is_told_the_commands_that_would_help() {
    let user = means(1000, &[], true);
    let seen = hidden();
    let expected = [
        Standing::Can,
        Standing::Partly,
        Standing::Partly,
        Standing::Can,
        Standing::Can,
        Standing::Partly,
        Standing::Cannot,
        Standing::Can,
    ];
    assert_eq!(standings(&seen, &user), expected);
    let owners = sentence(Ability::Owners, &seen, &user);
    assert!(owners.contains("looked into: 9.") && owners.contains("one of them: 2."));
    let advice = advice(&verdicts(&seen, &user, Scope::All), &user, words());
    let typed: Vec<&str> = advice
        .iter()
        .filter_map(|piece| match piece {
            Advice::Type(line) => Some(line.as_str()),
            Advice::Say(_) => None,
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
    let blind = |rule, lacks| Blind { rule, lacks };
    let seen = Observation {
        blind: vec![
            blind(Rule::AcceptQueue, Lack::Backlog),
            blind(Rule::Orphans, Lack::Settings),
        ],
        ..Observation::default()
    };
    let root = means(0, &Capability::ALL, true);
    let said = sentence(Ability::Detection, &seen, &root);
    assert!(
        said.contains("accept_queue (backlog), orphans (settings)."),
        "{said}"
    );
}

#[test]
fn what_even_root_is_refused_is_said_without_vain_advice() {
    let root = means(0, &Capability::ALL, true);
    let seen = seen(&[(GapKind::ProcessesUnreadable, 1, GapReason::Permission)]);
    assert!(sentence(Ability::Owners, &seen, &root).contains("even these privileges"));
    assert_eq!(
        advice(&verdicts(&seen, &root, Scope::All), &root, words()),
        []
    );
}

#[test]
fn the_root_of_a_container_is_told_what_its_container_lacks() {
    let some = [Capability::DacReadSearch, Capability::Kill];
    let docker = means(0, &some, true);
    let advised = advice(&verdicts(&hidden(), &docker, Scope::All), &docker, words());
    let added = "--cap-add SYS_PTRACE --cap-add NET_ADMIN --cap-add SYS_ADMIN";
    assert_eq!(advised.last(), Some(&Advice::Type(added.to_owned())));
    let rootless = means(0, &some, false);
    let advised = advice(
        &verdicts(&hidden(), &rootless, Scope::All),
        &rootless,
        words(),
    );
    assert!(matches!(&advised[..], [Advice::Say(only)] if only.contains("user namespace")));
}

#[test]
fn each_lack_has_its_own_words() {
    let root = means(0, &Capability::ALL, true);
    let with = |change: &dyn Fn(&mut Means)| {
        let mut changed = root.clone();
        change(&mut changed);
        changed
    };
    let nothing = seen(&[]);
    let look = with(&|means| means.policy = Policy::Look);
    for ability in [Ability::End, Ability::Close] {
        assert!(sentence(ability, &nothing, &look).contains("--read-only"));
    }
    let foreign = with(&|means| means.naming = Naming::NotAtAll);
    assert!(sentence(Ability::End, &nothing, &foreign).contains("PID namespace"));
    let old = with(&|means| means.naming = Naming::ByNumber);
    assert!(sentence(Ability::End, &nothing, &old).contains("--allow-racy-kill"));
    let built = with(&|means| means.closing = Err(CloseRefusal::NotOffered));
    assert!(sentence(Ability::Close, &nothing, &built).contains("CONFIG_INET_DIAG_DESTROY"));
    let odd = with(&|means| means.closing = Err(CloseRefusal::Failed(Text::from("odd"))));
    assert!(sentence(Ability::Close, &nothing, &odd).ends_with("odd"));
    let loose = with(&|means| means.powers.restraint.no_core_dumps = false);
    assert_eq!(standings(&nothing, &loose)[7], Standing::Partly);
    let unfiltered = with(&|means| means.powers.restraint.no_execution = false);
    assert_eq!(standings(&nothing, &unfiltered)[7], Standing::Can);
    let said = sentence(Ability::Restraint, &nothing, &unfiltered);
    assert!(said.contains("seccomp"), "{said}");
    let starved = seen(&[(GapKind::ProcessesUnreadable, 3, GapReason::DescriptorLimit)]);
    assert!(sentence(Ability::Owners, &starved, &root).contains("ulimit"));
    let unread = seen(&[(GapKind::TablesUnreadable, 1, GapReason::Permission)]);
    assert_eq!(standings(&unread, &root)[0], Standing::Partly);
    let own = verdicts(&nothing, &root, Scope::Own);
    assert!(own[2].sentence(words()).contains("key N"));
}

#[test]
fn every_feed_has_its_words() {
    let user = means(1000, &[], true);
    let judged = |feed| {
        let mut seen = seen(&[]);
        seen.chronicle = Arc::new(Chronicle {
            feed,
            ..Chronicle::default()
        });
        let said = sentence(Ability::Events, &seen, &user);
        assert!(!said.is_empty(), "{feed:?}");
        standings(&seen, &user)[3]
    };
    assert_eq!(judged(Feed::Changes), Standing::Can);
    assert_eq!(judged(Feed::Off), Standing::Cannot);
    assert_eq!(
        judged(Feed::Endings(NoFeed::NotPermitted)),
        Standing::Partly
    );
    for (reason, key) in NoFeed::ALL {
        judged(Feed::Nothing(reason));
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
    for ability in Ability::ALL {
        let name = words().ability(ability.key(), "name");
        assert!((1..=17).contains(&name.len()), "{ability:?}");
    }
    for standing in [Standing::Can, Standing::Partly, Standing::Cannot] {
        assert!(!words().ability("standings", standing.key()).is_empty());
    }
}

#[test]
fn process_1_alone_lacks_nothing_unless_a_socket_lacks_its_owner() {
    let init = (GapKind::InitUnreadable, 1, GapReason::Permission);
    let all = seen(&[init]);
    let means = means(0, &Capability::ALL, true);
    let standings = standings(&all, &means);
    assert!(
        standings.iter().all(|one| *one == Standing::Can),
        "{standings:?}"
    );
    let said = sentence(Ability::Owners, &all, &means);
    assert!(said.contains("but process 1"), "{said}");
    let said = sentence(Ability::Namespaces, &all, &means);
    assert!(said.contains("other than process 1"), "{said}");
    let concerned = seen(&[init, (GapKind::OwnersHidden, 1, GapReason::Permission)]);
    let verdicts = verdicts(&concerned, &means, Scope::All);
    assert_eq!(verdicts[1].standing, Standing::Partly);
}

#[test]
fn what_hidepid_hides_has_no_number() {
    let hidepid = seen(&[
        (GapKind::ProcessesHidden, 1, GapReason::Hidepid),
        (GapKind::OwnersHidden, 3, GapReason::Hidepid),
    ]);
    let means = means(1000, &[], true);
    let owners = sentence(Ability::Owners, &hidepid, &means);
    assert!(
        owners.contains("hidden by hidepid; their number is unknown"),
        "{owners}"
    );
    assert!(owners.ends_with("one of them: 3."), "{owners}");
    let namespaces = sentence(Ability::Namespaces, &hidepid, &means);
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
    let owners = sentence(Ability::Owners, &missing, &means);
    assert!(owners.contains("/proc is not mounted"), "{owners}");
    let advised = advice(&verdicts(&missing, &means, Scope::All), &means, words());
    let mount = Advice::Type("mount -t proc proc /proc".to_owned());
    assert_eq!(advised.len(), 2, "{advised:?}");
    assert_eq!(advised[1], mount);
}
