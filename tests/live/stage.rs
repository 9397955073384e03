//! The app before real processes, without a terminal: keys go in, effects are
//! carried out as the program's own threads do, and the screen is read.

use super::watch::Watch;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use std::time::{Duration, Instant};
use tcplens::app::effect::Effect;
use tcplens::app::keys::Key;
use tcplens::app::message::Message;
use tcplens::app::{App, AppOptions};
use tcplens::control::ProcessControl;
use tcplens::control::pidfd::PidfdControl;
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::filter::Filter;
use tcplens::listing::{QuickFilter, Sort};
use tcplens::model::action::{AccessMode, SignalOutcome, TargetId};
use tcplens::model::event::EventsMode;
use tcplens::model::namespace::NamespaceScope;
use tcplens::model::refresh_mode::RefreshMode;
use tcplens::model::signal::Signal;
use tcplens::source::SourceChoice;
use tcplens::view::theme::Theme;

/// A process that still runs after this long is said to. The program waits
/// longer; what is told is the same.
const PATIENCE: Duration = Duration::from_millis(700);

pub(crate) struct Stage {
    app: App,
    control: PidfdControl,
    watch: Watch,
}

impl Stage {
    /// The live table with a filter, once it shows anything by that name.
    pub(crate) fn with(filter: &str, name: &str) -> Self {
        let choices = AppOptions {
            clipboard: tcplens::model::clipboard::Clipboard::default(),
            access_mode: AccessMode::Full,
            scope: NamespaceScope::Current,
            filter: Filter::parse(filter).unwrap(),
            quick_filter: QuickFilter::default(),
            sort: Sort::default(),
            numeric: false,
            refresh_mode: RefreshMode::Fixed(Duration::from_secs(1)),
            login_session: tcplens::model::login_session::LoginSession::default(),
            alerts: tcplens::app::findings_state::AlertOptions::default(),
            ascii_only: false,
            events: EventsMode::default(),
            lab_mode: None,
            host_limits: None,
        };
        let mut stage = Self {
            app: App::new(Catalogue::of(Language::English), choices),
            control: PidfdControl::default(),
            watch: Watch::begin(SourceChoice::Auto),
        };
        stage.until(name);
        stage
    }

    /// Types keys by their names, and carries out what they ask for.
    pub(crate) fn press(&mut self, keys: &str) {
        for name in keys.split_whitespace() {
            // As in the program: nothing is answered that was not drawn.
            self.screen();
            let key = Key::from_name(name).unwrap();
            let now = self.app.now() + Duration::from_secs(1);
            let effects = self.app.update_at(Message::Key(key), now);
            self.carry_out(effects);
        }
    }

    /// Reads another table.
    pub(crate) fn look(&mut self) {
        let observation = self.watch.look();
        let effects = self.app.update(Message::Observed(observation));
        self.carry_out(effects);
    }

    /// Reads tables until the screen says something.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + super::patience::PATIENCE;
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(Instant::now() < deadline, "never {text:?}:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
            self.look();
        }
    }

    /// What stands on a screen of 80 by 24, as one line of words.
    pub(crate) fn screen(&mut self) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 80, 24));
        let frame = tcplens::view::draw(&self.app, Theme::default(), &mut buffer);
        self.app.update(Message::FrameDrawn(frame.info));
        let text: String = buffer
            .content
            .chunks(80)
            .map(|line| line.iter().map(Cell::symbol).collect::<String>() + " ")
            .collect();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::AcquireTarget(id, target) => {
                    let armed = self.control.acquire(id, &target);
                    self.app.update(Message::TargetAcquired(id, armed));
                }
                Effect::ReleaseTarget(id) => self.control.release(id),
                Effect::Signal(id, signal) => {
                    let since = Instant::now();
                    let outcome = self.control.signal(id, signal);
                    self.follow(id, signal, outcome, since);
                }
                Effect::SignalTree(id, signal) => {
                    let since = Instant::now();
                    let tree = self.control.signal_tree(id, signal);
                    self.app.update(Message::TreeSignalled(id, tree.signalled));
                    self.follow(id, signal, tree.outcome, since);
                }
                _ => {}
            }
        }
    }

    fn follow(&mut self, id: TargetId, signal: Signal, outcome: SignalOutcome, since: Instant) {
        let sent = matches!(outcome, SignalOutcome::Sent { .. });
        self.app.update(Message::SignalOutcome(id, outcome));
        if !sent {
            return;
        }
        let ended = self.control.wait_for_exit(id, PATIENCE);
        let after = since.elapsed();
        let outcome = if ended {
            SignalOutcome::Exited { after, signal }
        } else {
            SignalOutcome::StillRunning { after, signal }
        };
        self.app.update(Message::SignalOutcome(id, outcome));
    }
}
