//! Executes a plan: opens its sources with the least privilege, and runs it.

use super::locale::LanguageChoice;
use super::plan::{ConfigAction, LabContents, LivePlan, Plan, SocketSelection, UserFiles};
use super::privileges;
use super::settings::{self, AppliedSettings};
use crate::app::findings_state::AlertOptions;
use crate::control::audited::Audited;
use crate::control::netns_guard::NetnsGuard;
use crate::control::pidfd::{PidfdControl, PidfdFallback};
use crate::control::sock_destroy::{ConnectionCloser, SockDestroy};
use crate::control::{ProcessControl, ReadOnlyControl};
use crate::explain::catalogue::{Catalogue, Language};
use crate::lab::load::Load;
use crate::lab::namespace::LabNamespace;
use crate::lab::rig_process::RigProcess;
use crate::lab::session::LabSession;
use crate::listing::{Column, Sort, SortBy};
use crate::model::action::AccessMode;
use crate::model::clipboard::Clipboard;
use crate::model::event::EventsMode;
use crate::model::lab::LabMode;
use crate::model::limits::Limits;
use crate::model::login_session::LoginSession;
use crate::model::namespace::NamespaceScope;
use crate::model::privileges::Capability;
use crate::monitor::UserRules;
use crate::privilege;
use crate::run::{
    self, CheckFormat, CheckRequest, CloseRequest, DoctorRequest, ExitReason, ExplainRequest,
    FileWriter, KillRequest, ListRequest, LiveRequest, RunError, SaveBaselineRequest, SocketQuery,
};
use crate::source::live::{LiveOptions, LiveSource, ReadBudget};
use crate::source::{Entered, ReadingSource, SourceChoice, limits};
use std::io::{Write, stdout};
use std::path::Path;
use std::time::Duration;

/// Timeout of a list for user names; a live table requests them again.
const LIST_NAME_TIMEOUT: Duration = Duration::from_secs(1);

/// Carries out a plan, as long as there is no thread yet: privileges belong to
/// threads, and a namespace may not be entered later.
pub(super) fn run_plan(
    plan: Plan,
    applied: AppliedSettings,
    entered: Option<Entered>,
    locale: LanguageChoice,
) -> Result<ExitReason, RunError> {
    let Plan::Lab(contents, watch) = plan else {
        return with_least_privilege(plan, applied, ExecutionScope::Host(entered), locale);
    };
    // Those of a namespace are read from within it only.
    let outside = limits::read(Path::new("/proc"));
    let namespace = LabNamespace::enter()?;
    let lab = |lesson| {
        ExecutionScope::Lab(Box::new(LabContext {
            host_limits: Some(outside),
            session: lesson,
        }))
    };
    match contents {
        LabContents::Session(course, choice) => {
            let lesson = LabSession::start(&namespace, choice, course)?;
            with_least_privilege(*watch, applied, lab(Some((course, lesson))), locale)
        }
        LabContents::Everything(choice) => {
            let _parking = RigProcess::start(&namespace, choice)?;
            with_least_privilege(*watch, applied, lab(None), locale)
        }
        LabContents::Carry(mix) => {
            let _load = Load::start(&namespace, mix)?;
            with_least_privilege(*watch, applied, lab(None), locale)
        }
    }
}

/// Scope in which a plan is executed.
#[derive(Debug)]
enum ExecutionScope {
    /// On this machine, in the network namespace that was entered if one was named.
    Host(Option<Entered>),
    /// In the lab, on the lab's own processes only.
    Lab(Box<LabContext>),
}

impl ExecutionScope {
    /// Capabilities that it needs, whatever the plan.
    fn required_capabilities(&self) -> Vec<Capability> {
        match self {
            Self::Lab(lab) if lab.session.is_some() => privileges::LAB_CAPABILITIES.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Returns the network namespace that was entered.
    fn entered(&self) -> Option<Entered> {
        match self {
            Self::Host(entered) => entered.clone(),
            Self::Lab(_) => None,
        }
    }

    /// True if copies of this program are still to be started: only a lab
    /// session restarts.
    fn starts_programs(&self) -> bool {
        matches!(self, Self::Lab(lab) if lab.session.is_some())
    }
}

/// The lab as the live table knows it.
#[derive(Debug, Default)]
struct LabContext {
    /// The limits of the machine around it.
    host_limits: Option<Limits>,
    /// Session, if there is one.
    session: Option<(LabMode, LabSession)>,
}

/// Starts the writer for a plan that writes a file, as the user who called sudo. It
/// must be started before the privileges are dropped: becoming another user is one of
/// them.
fn start_file_writer(plan: &Plan) -> FileWriter {
    let writes = matches!(
        plan,
        Plan::SaveBaseline(_) | Plan::Config(ConfigAction::Init, _)
    );
    FileWriter::start_thread(settings::invoker().filter(|_| writes))
}

fn with_least_privilege(
    plan: Plan,
    applied: AppliedSettings,
    place: ExecutionScope,
    locale: LanguageChoice,
) -> Result<ExitReason, RunError> {
    let writer = start_file_writer(&plan);
    privilege::retain_only(&[privileges::required(&plan), place.required_capabilities()].concat());
    if !place.starts_programs() {
        privilege::seccomp::forbid_exec();
    }
    // Loaded only where messages are needed: a list must not wait for it.
    let words = || Catalogue::of(locale.language());
    match plan {
        Plan::Print(text) => {
            let text = words().translate_help(&text);
            let mut out = stdout().lock();
            out.write_all(text.as_bytes())
                .and_then(|()| out.flush())
                .map(|()| ExitReason::Done)
                .map_err(|error| RunError::Io {
                    operation: "write the help",
                    error,
                })
        }
        Plan::Explain(topic, json) => {
            let words = output_messages(json, locale);
            run::explain(topic, json, words, &limits::read(Path::new("/proc")))
        }
        Plan::ExplainSockets(watching, json) => {
            explain_sockets(watching, json, &place, output_messages(json, locale))
        }
        Plan::Doctor(source, json) => doctor(source, json, output_messages(json, locale)),
        Plan::List(list) => run::list(ListRequest {
            source: open_source(&list.selection, one_shot_options(&place), false)?,
            filter: list.selection.filter,
            quick: list.selection.quick,
            sort: list.selection.sort,
            numeric: list.selection.numeric,
            columns: list.columns,
            format: list.format,
            heading: list.heading,
            with_tcp_info: list.with_tcp_info,
            messages: words(),
        }),
        Plan::Kill(acting, signal, without) => run::kill(KillRequest {
            options: acting.options,
            signal,
            control: process_control(AccessMode::Full, without, &place),
            messages: words(),
            query: socket_query(acting.selection, &place)?,
        }),
        Plan::Close(acting) => run::close(CloseRequest {
            options: acting.options,
            session: session(),
            closer: connection_closer(AccessMode::Full),
            messages: words(),
            query: socket_query(acting.selection, &place)?,
        }),
        Plan::Live(mut live) => {
            // The terminal of a user who requests Chinese shows it.
            live.theme.ascii &= !locale.is_requested(Language::Chinese);
            let words = if live.theme.ascii {
                Catalogue::of(Language::English)
            } else {
                words()
            };
            run_live(live, applied, place, words)
        }
        // A lab within a lab cannot be planned.
        Plan::Lab(_, watch) => {
            with_least_privilege(*watch, applied, ExecutionScope::Lab(Box::default()), locale)
        }
        Plan::Check(check) => run::check(CheckRequest {
            source: Box::new(LiveSource::open(&LiveOptions {
                source: check.source,
                scope: check.scope,
                entered: place.entered(),
                resolve_names: uses_user_names(&applied.user_rules),
                name_timeout: LIST_NAME_TIMEOUT,
                events_mode: check.events.unwrap_or(applied.events_mode),
                budget: ReadBudget::CHECK,
                ..LiveOptions::default()
            })?),
            thresholds: applied.thresholds,
            user_rules: applied.user_rules,
            duration: check.duration,
            fail_on: check.fail_on,
            messages: Catalogue::of(match check.format {
                // Other programs read these.
                CheckFormat::Text => locale.language(),
                CheckFormat::Json | CheckFormat::OneLine => locale.requested_or_english(),
            }),
            requires_events: check.events.unwrap_or(applied.events_mode) == EventsMode::On,
            format: check.format,
        }),
        Plan::Config(action, own) => config(action, &own, &writer),
        Plan::SaveBaseline(save) => run::save_baseline(SaveBaselineRequest {
            source: Box::new(LiveSource::open(&LiveOptions {
                source: save.source,
                entered: place.entered(),
                resolve_names: false,
                ..LiveOptions::default()
            })?),
            path: save.path,
            replace: save.replace,
            writer,
        }),
    }
}

fn config(
    action: ConfigAction,
    own: &UserFiles,
    writer: &FileWriter,
) -> Result<ExitReason, RunError> {
    match action {
        ConfigAction::Path => run::config_path(&settings::config_path(own)),
        ConfigAction::Show => run::config_show(&settings::read(own)?),
        ConfigAction::Init => run::config_init(&settings::config_path(own), writer),
    }
}

/// The language of an output. Other programs read JSON: that is English unless another
/// language is named.
fn output_messages(json: bool, locale: LanguageChoice) -> &'static Catalogue {
    Catalogue::of(if json {
        locale.requested_or_english()
    } else {
        locale.language()
    })
}

fn doctor(
    source: SourceChoice,
    json: bool,
    words: &'static Catalogue,
) -> Result<ExitReason, RunError> {
    run::doctor(DoctorRequest {
        source: Box::new(LiveSource::open(&LiveOptions {
            source,
            // Access to other namespaces is probed by reading them.
            scope: NamespaceScope::All,
            events_mode: EventsMode::On,
            resolve_names: false,
            ..LiveOptions::default()
        })?),
        closer: Box::new(SockDestroy),
        json,
        messages: words,
    })
}

fn explain_sockets(
    watching: SocketSelection,
    json: bool,
    place: &ExecutionScope,
    words: &'static Catalogue,
) -> Result<ExitReason, RunError> {
    run::explain_sockets(ExplainRequest {
        source: open_source(&watching, one_shot_options(place), false)?,
        filter: watching.filter,
        quick: watching.quick,
        sort: watching.sort,
        numeric: watching.numeric,
        json,
        messages: words,
    })
}

/// Shows the live table.
fn run_live(
    live: LivePlan,
    applied: AppliedSettings,
    place: ExecutionScope,
    words: &'static Catalogue,
) -> Result<ExitReason, RunError> {
    let control = process_control(live.policy, live.pidfd_fallback, &place);
    let entered = place.entered();
    let LabContext {
        host_limits: outside,
        session: lesson,
    } = match place {
        ExecutionScope::Lab(lab) => *lab,
        ExecutionScope::Host(_) => LabContext::default(),
    };
    let (course, lesson) = lesson.unzip();
    let events = live.events.unwrap_or(applied.events_mode);
    run::live(LiveRequest {
        source: open_source(
            &live.selection,
            LiveOptions {
                events_mode: events,
                entered,
                budget: ReadBudget::LIVE,
                ..LiveOptions::default()
            },
            uses_user_names(&applied.user_rules),
        )?,
        control,
        closer: connection_closer(live.policy),
        lab_session: lesson,
        options: crate::app::AppOptions {
            // Found out when the screen is entered.
            clipboard: Clipboard::default(),
            filter: live.selection.filter,
            quick_filter: live.selection.quick,
            sort: match course {
                // In the order of a connection's life.
                Some(LabMode::States) if live.selection.sort == Sort::default() => Sort {
                    by: SortBy::Column(Column::State),
                    reverse: false,
                },
                _ => live.selection.sort,
            },
            numeric: live.selection.numeric,
            refresh_mode: live.pace,
            scope: live.selection.scope,
            access_mode: live.policy,
            login_session: session(),
            alerts: AlertOptions {
                mutes: applied.user_rules.mutes.clone(),
                bell: applied.bell,
            },
            ascii_only: live.theme.ascii,
            events,
            lab_mode: course,
            host_limits: outside,
        },
        thresholds: applied.thresholds,
        user_rules: applied.user_rules,
        messages: words,
        theme: live.theme,
        mouse: live.mouse,
    })
}

/// True if a rule uses the name of a user.
fn uses_user_names(wishes: &UserRules) -> bool {
    let mut filters = wishes.rules.iter().map(|rule| rule.filter.to_string());
    filters.any(|filter| filter.contains("user:"))
}

/// Defence in depth: the keys are disabled, and the control refuses too.
fn process_control(
    policy: AccessMode,
    without: PidfdFallback,
    place: &ExecutionScope,
) -> Box<dyn ProcessControl> {
    let control = PidfdControl::new(without);
    match (policy, place) {
        (AccessMode::ReadOnly, _) => Box::new(ReadOnlyControl),
        (AccessMode::Full, ExecutionScope::Lab(_)) => Box::new(NetnsGuard::new(control)),
        (AccessMode::Full, ExecutionScope::Host(_)) if privilege::is_root() => {
            Box::new(Audited::new(control))
        }
        (AccessMode::Full, ExecutionScope::Host(_)) => Box::new(control),
    }
}

fn connection_closer(policy: AccessMode) -> Box<dyn ConnectionCloser> {
    match policy {
        AccessMode::ReadOnly => Box::new(ReadOnlyControl),
        AccessMode::Full if privilege::is_root() => Box::new(Audited::new(SockDestroy)),
        AccessMode::Full => Box::new(SockDestroy),
    }
}

/// Returns the session in which this program runs. Only `SSH_CONNECTION` names
/// the connection; sudo removes it, but the processes between remain.
fn session() -> LoginSession {
    let told = std::env::var("SSH_CONNECTION").ok();
    LoginSession {
        endpoints: told.as_deref().and_then(LoginSession::parse_ssh_connection),
    }
}

fn socket_query(
    watching: SocketSelection,
    place: &ExecutionScope,
) -> Result<SocketQuery, RunError> {
    Ok(SocketQuery {
        source: open_source(&watching, one_shot_options(place), false)?,
        filter: watching.filter,
        quick: watching.quick,
        sort: watching.sort,
    })
}

/// For a table that is read once.
fn one_shot_options(place: &ExecutionScope) -> LiveOptions {
    LiveOptions {
        entered: place.entered(),
        name_timeout: LIST_NAME_TIMEOUT,
        ..LiveOptions::default()
    }
}

/// Opens the source; `users` is true if anything else needs the names of users.
fn open_source(
    watching: &SocketSelection,
    usual: LiveOptions,
    users: bool,
) -> Result<Box<dyn ReadingSource>, RunError> {
    let options = LiveOptions {
        source: watching.source,
        scope: watching.scope,
        // Numbers are shown, but a filter may still need a name.
        resolve_names: !watching.numeric || users || watching.filter.to_string().contains("user:"),
        ..usual
    };
    Ok(Box::new(LiveSource::open(&options)?))
}
