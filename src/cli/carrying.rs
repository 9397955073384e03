//! Executes a plan: opens its sources with the least privilege, and runs it.

use super::plan::{ConfigAction, Contents, LivePlan, Own, Plan, Watching};
use super::privileges;
use super::settings::{self, Applied};
use super::tongue::Tongue;
use crate::app::troubles::Attention;
use crate::control::destroy::{Close, SockDestroy};
use crate::control::logged::Logged;
use crate::control::pidfd::{PidfdControl, WithoutPidfd};
use crate::control::within::Within;
use crate::control::{Control, Refusing};
use crate::explain::catalogue::{Catalogue, Language};
use crate::lab::lesson::Lesson;
use crate::lab::load::Load;
use crate::lab::namespace::Namespace;
use crate::lab::parking::Parking;
use crate::listing::{Column, Sort, SortBy};
use crate::model::action::Policy;
use crate::model::clipboard::Clipboard;
use crate::model::event::EventsChoice;
use crate::model::lesson::Course;
use crate::model::limits::Limits;
use crate::model::namespace::Scope;
use crate::model::powers::Capability;
use crate::model::session::Session;
use crate::monitor::Wishes;
use crate::privilege;
use crate::run::{
    self, About, CheckFormat, CheckRequest, CloseRequest, DoctorRequest, Ending, ExplainRequest,
    FileWriter, KillRequest, ListRequest, LiveRequest, RunError, SaveRequest,
};
use crate::source::live::{Effort, Live, LiveOptions};
use crate::source::{Entered, ReadingSource, SourceChoice, limits};
use std::io::{Write, stdout};
use std::path::Path;
use std::time::Duration;

/// Timeout of a list for user names; a live table requests them again.
const LIST_PATIENCE: Duration = Duration::from_secs(1);

/// Carries out a plan, as long as there is no thread yet: privileges belong to
/// threads, and a namespace may not be entered later.
pub(super) fn carry_out(
    plan: Plan,
    applied: Applied,
    entered: Option<Entered>,
    tongue: Tongue,
) -> Result<Ending, RunError> {
    let Plan::Lab(contents, watch) = plan else {
        return with_least_privilege(plan, applied, Place::Machine(entered), tongue);
    };
    // Those of a namespace are read from within it only.
    let outside = limits::read(Path::new("/proc"));
    let namespace = Namespace::enter()?;
    let lab = |lesson| {
        Place::Lab(Box::new(Lab {
            outside: Some(outside),
            lesson,
        }))
    };
    match contents {
        Contents::Lesson(course, choice) => {
            let lesson = Lesson::start(&namespace, choice, course)?;
            with_least_privilege(*watch, applied, lab(Some((course, lesson))), tongue)
        }
        Contents::Everything(choice) => {
            let _parking = Parking::start(&namespace, choice)?;
            with_least_privilege(*watch, applied, lab(None), tongue)
        }
        Contents::Load(mix) => {
            let _load = Load::start(&namespace, mix)?;
            with_least_privilege(*watch, applied, lab(None), tongue)
        }
    }
}

/// Scope in which a plan is executed.
#[derive(Debug)]
enum Place {
    /// On this machine, in the network namespace that was entered if one was named.
    Machine(Option<Entered>),
    /// In the lab, on the lab's own processes only.
    Lab(Box<Lab>),
}

impl Place {
    /// Capabilities that it needs, whatever the plan.
    fn uses(&self) -> Vec<Capability> {
        match self {
            Self::Lab(lab) if lab.lesson.is_some() => privileges::LESSON.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Returns the network namespace that was entered.
    fn entered(&self) -> Option<Entered> {
        match self {
            Self::Machine(entered) => entered.clone(),
            Self::Lab(_) => None,
        }
    }

    /// True if copies of this program are still to be started: only a lab
    /// session restarts.
    fn starts_programs(&self) -> bool {
        matches!(self, Self::Lab(lab) if lab.lesson.is_some())
    }
}

/// The lab as the live table knows it.
#[derive(Debug, Default)]
struct Lab {
    /// The limits of the machine around it.
    outside: Option<Limits>,
    /// Session, if there is one.
    lesson: Option<(Course, Lesson)>,
}

/// Starts the writer for a plan that writes a file, as the user who called sudo. It
/// must be started before the privileges are dropped: becoming another user is one of
/// them.
fn file_writer(plan: &Plan) -> FileWriter {
    let writes = matches!(
        plan,
        Plan::SaveBaseline(_) | Plan::Config(ConfigAction::Init, _)
    );
    FileWriter::start(settings::invoker().filter(|_| writes))
}

fn with_least_privilege(
    plan: Plan,
    applied: Applied,
    place: Place,
    tongue: Tongue,
) -> Result<Ending, RunError> {
    let writer = file_writer(&plan);
    privilege::keep(&[privileges::of(&plan), place.uses()].concat());
    if !place.starts_programs() {
        privilege::execution::forbid();
    }
    // Loaded only where messages are needed: a list must not wait for it.
    let words = || Catalogue::of(tongue.language());
    match plan {
        Plan::Say(text) => {
            let text = words().help(&text);
            let mut out = stdout().lock();
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .map(|()| Ending::Done)
                .map_err(|error| RunError::Io {
                    operation: "write the help",
                    error,
                })
        }
        Plan::Explain(topic, json) => {
            let words = for_output(json, tongue);
            run::explain(topic, json, words, &limits::read(Path::new("/proc")))
        }
        Plan::ExplainSockets(watching, json) => {
            explain_sockets(watching, json, &place, for_output(json, tongue))
        }
        Plan::Doctor(source, json) => doctor(source, json, for_output(json, tongue)),
        Plan::List(list) => run::list(ListRequest {
            source: open(&list.watching, once(&place), false)?,
            filter: list.watching.filter,
            quick: list.watching.quick,
            sort: list.watching.sort,
            numeric: list.watching.numeric,
            columns: list.columns,
            format: list.format,
            heading: list.heading,
            info: list.info,
            words: words(),
        }),
        Plan::Kill(acting, signal, without) => run::kill(KillRequest {
            order: acting.order,
            signal,
            control: control(Policy::Act, without, &place),
            words: words(),
            about: about(acting.watching, &place)?,
        }),
        Plan::Close(acting) => run::close(CloseRequest {
            order: acting.order,
            session: session(),
            closer: closer(Policy::Act),
            words: words(),
            about: about(acting.watching, &place)?,
        }),
        Plan::Live(mut live) => {
            // The terminal of a user who requests Chinese shows it.
            live.theme.ascii &= !tongue.is_named(Language::Chinese);
            let words = if live.theme.ascii {
                Catalogue::of(Language::English)
            } else {
                words()
            };
            watch(live, applied, place, words)
        }
        // A lab within a lab cannot be planned.
        Plan::Lab(_, watch) => {
            with_least_privilege(*watch, applied, Place::Lab(Box::default()), tongue)
        }
        Plan::Check(check) => run::check(CheckRequest {
            source: Box::new(Live::open(&LiveOptions {
                source: check.source,
                scope: check.scope,
                entered: place.entered(),
                names: names_users(&applied.wishes),
                patience: LIST_PATIENCE,
                events: check.events.unwrap_or(applied.events),
                effort: Effort::CHECK,
                ..LiveOptions::default()
            })?),
            thresholds: applied.thresholds,
            wishes: applied.wishes,
            length: check.length,
            level: check.level,
            words: Catalogue::of(match check.format {
                // Other programs read these.
                CheckFormat::Text => tongue.language(),
                CheckFormat::Json | CheckFormat::Line => tongue.named_or_english(),
            }),
            needs_events: check.events.unwrap_or(applied.events) == EventsChoice::On,
            format: check.format,
        }),
        Plan::Config(action, own) => config(action, &own, &writer),
        Plan::SaveBaseline(save) => run::save_baseline(SaveRequest {
            source: Box::new(Live::open(&LiveOptions {
                source: save.source,
                entered: place.entered(),
                names: false,
                ..LiveOptions::default()
            })?),
            path: save.path,
            replace: save.replace,
            writer,
        }),
    }
}

fn config(action: ConfigAction, own: &Own, writer: &FileWriter) -> Result<Ending, RunError> {
    match action {
        ConfigAction::Path => run::config_path(&settings::place(own)),
        ConfigAction::Show => run::config_show(&settings::read(own)?),
        ConfigAction::Init => run::config_init(&settings::place(own), writer),
    }
}

/// The language of an output. Other programs read JSON: that is English unless another
/// language is named.
fn for_output(json: bool, tongue: Tongue) -> &'static Catalogue {
    Catalogue::of(if json {
        tongue.named_or_english()
    } else {
        tongue.language()
    })
}

fn doctor(source: SourceChoice, json: bool, words: &'static Catalogue) -> Result<Ending, RunError> {
    run::doctor(DoctorRequest {
        source: Box::new(Live::open(&LiveOptions {
            source,
            // Access to other namespaces is probed by reading them.
            scope: Scope::All,
            events: EventsChoice::On,
            names: false,
            ..LiveOptions::default()
        })?),
        close: Box::new(SockDestroy),
        json,
        words,
    })
}

fn explain_sockets(
    watching: Watching,
    json: bool,
    place: &Place,
    words: &'static Catalogue,
) -> Result<Ending, RunError> {
    run::explain_sockets(ExplainRequest {
        source: open(&watching, once(place), false)?,
        filter: watching.filter,
        quick: watching.quick,
        sort: watching.sort,
        numeric: watching.numeric,
        json,
        words,
    })
}

/// Shows the live table.
fn watch(
    live: LivePlan,
    applied: Applied,
    place: Place,
    words: &'static Catalogue,
) -> Result<Ending, RunError> {
    let control = control(live.policy, live.without_pidfd, &place);
    let entered = place.entered();
    let Lab { outside, lesson } = match place {
        Place::Lab(lab) => *lab,
        Place::Machine(_) => Lab::default(),
    };
    let (course, lesson) = lesson.unzip();
    let events = live.events.unwrap_or(applied.events);
    run::live(LiveRequest {
        source: open(
            &live.watching,
            LiveOptions {
                events,
                entered,
                effort: Effort::LIVE,
                ..LiveOptions::default()
            },
            names_users(&applied.wishes),
        )?,
        control,
        closer: closer(live.policy),
        lesson,
        choices: crate::app::Choices {
            // Found out when the screen is entered.
            clipboard: Clipboard::default(),
            filter: live.watching.filter,
            quick: live.watching.quick,
            sort: match course {
                // In the order of a connection's life.
                Some(Course::States) if live.watching.sort == Sort::default() => Sort {
                    by: SortBy::Column(Column::State),
                    reverse: false,
                },
                _ => live.watching.sort,
            },
            numeric: live.watching.numeric,
            pace: live.pace,
            scope: live.watching.scope,
            policy: live.policy,
            session: session(),
            attention: Attention {
                mutes: applied.wishes.mutes.clone(),
                bell: applied.bell,
            },
            latin_only: live.theme.ascii,
            events,
            course,
            outside,
        },
        thresholds: applied.thresholds,
        wishes: applied.wishes,
        words,
        theme: live.theme,
        mouse: live.mouse,
    })
}

/// True if a rule uses the name of a user.
fn names_users(wishes: &Wishes) -> bool {
    let mut filters = wishes.rules.iter().map(|rule| rule.filter.to_string());
    filters.any(|filter| filter.contains("user:"))
}

/// Defence in depth: the keys are disabled, and the control refuses too.
fn control(policy: Policy, without: WithoutPidfd, place: &Place) -> Box<dyn Control> {
    let control = PidfdControl::new(without);
    match (policy, place) {
        (Policy::Look, _) => Box::new(Refusing),
        (Policy::Act, Place::Lab(_)) => Box::new(Within::around(control)),
        (Policy::Act, Place::Machine(_)) if privilege::is_root() => {
            Box::new(Logged::around(control))
        }
        (Policy::Act, Place::Machine(_)) => Box::new(control),
    }
}

fn closer(policy: Policy) -> Box<dyn Close> {
    match policy {
        Policy::Look => Box::new(Refusing),
        Policy::Act if privilege::is_root() => Box::new(Logged::around(SockDestroy)),
        Policy::Act => Box::new(SockDestroy),
    }
}

/// Returns the session in which this program runs. Only `SSH_CONNECTION` names
/// the connection; sudo removes it, but the processes between remain.
fn session() -> Session {
    let told = std::env::var("SSH_CONNECTION").ok();
    Session {
        ends: told.as_deref().and_then(Session::ends_of),
    }
}

fn about(watching: Watching, place: &Place) -> Result<About, RunError> {
    Ok(About {
        source: open(&watching, once(place), false)?,
        filter: watching.filter,
        quick: watching.quick,
        sort: watching.sort,
    })
}

/// For a table that is read once.
fn once(place: &Place) -> LiveOptions {
    LiveOptions {
        entered: place.entered(),
        patience: LIST_PATIENCE,
        ..LiveOptions::default()
    }
}

/// Opens the source; `users` is true if anything else needs the names of users.
fn open(
    watching: &Watching,
    usual: LiveOptions,
    users: bool,
) -> Result<Box<dyn ReadingSource>, RunError> {
    let options = LiveOptions {
        source: watching.source,
        scope: watching.scope,
        // Numbers are shown, but a filter may still need a name.
        names: !watching.numeric || users || watching.filter.to_string().contains("user:"),
        ..usual
    };
    Ok(Box::new(Live::open(&options)?))
}
