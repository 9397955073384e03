//! Drawing: only the rows on screen, however many there are.

use super::LADDER;
use super::world::observation;
use divan::Bencher;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;
use tcplens::app::keys::Key;
use tcplens::app::message::Message;
use tcplens::app::{App, AppOptions};
use tcplens::explain::catalogue::{Catalogue, Language};
use tcplens::filter::Filter;
use tcplens::listing::{QuickFilter, Sort};
use tcplens::model::event::EventsMode;
use tcplens::model::namespace::NamespaceScope;
use tcplens::model::refresh_mode::RefreshMode;
use tcplens::view;
use tcplens::view::theme::{Palette, Theme};

const THEME: Theme = Theme {
    palette: Palette::Colour,
    ascii: false,
};

fn app(sockets: u32) -> App {
    let choices = AppOptions {
        clipboard: tcplens::model::clipboard::Clipboard::default(),
        access_mode: tcplens::model::action::AccessMode::Full,
        login_session: tcplens::model::login_session::LoginSession::default(),
        alerts: tcplens::app::findings_state::AlertOptions::default(),
        ascii_only: false,
        events: EventsMode::default(),
        lab_mode: None,
        host_limits: None,
        filter: Filter::all(),
        quick_filter: QuickFilter::default(),
        sort: Sort::default(),
        numeric: false,
        refresh_mode: RefreshMode::Fixed(Duration::from_secs(1)),
        scope: NamespaceScope::Current,
    };
    let mut app = App::new(Catalogue::of(Language::English), choices);
    app.update(Message::Observed(observation(sockets)));
    app
}

#[divan::bench(args = LADDER)]
fn a_frame_of_80_by_24(bencher: Bencher<'_, '_>, sockets: u32) {
    drawn(bencher, sockets, Rect::new(0, 0, 80, 24));
}

#[divan::bench(args = LADDER)]
fn a_frame_of_200_by_50(bencher: Bencher<'_, '_>, sockets: u32) {
    drawn(bencher, sockets, Rect::new(0, 0, 200, 50));
}

fn drawn(bencher: Bencher<'_, '_>, sockets: u32, area: Rect) {
    let app = app(sockets);
    let mut buffer = Buffer::empty(area);
    bencher.bench_local(move || {
        buffer.reset();
        view::draw(&app, THEME, &mut buffer)
    });
}

/// From a key to the frame that answers it.
#[divan::bench(args = LADDER)]
fn a_key_and_its_frame(bencher: Bencher<'_, '_>, sockets: u32) {
    let mut app = app(sockets);
    let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 40));
    let down = Key::from_name("Down").unwrap();
    bencher.bench_local(move || {
        app.update(Message::Key(down));
        buffer.reset();
        let frame = view::draw(&app, THEME, &mut buffer);
        app.update(Message::FrameDrawn(frame.info));
    });
}
