//! From all rows to those that are shown, in order: what a key that filters or
//! sorts takes.

use super::LADDER;
use super::world::observation;
use divan::{Bencher, black_box};
use tcplens::filter::Filter;
use tcplens::listing::{Column, QuickFilter, Sort, SortBy, select_rows};

#[divan::bench(args = LADDER)]
fn in_default_order(bencher: Bencher<'_, '_>, sockets: u32) {
    arranged(bencher, sockets, "", SortBy::Default);
}

#[divan::bench(args = LADDER)]
fn by_remote(bencher: Bencher<'_, '_>, sockets: u32) {
    arranged(bencher, sockets, "", SortBy::Column(Column::Remote));
}

#[divan::bench(args = LADDER)]
fn by_age(bencher: Bencher<'_, '_>, sockets: u32) {
    arranged(bencher, sockets, "", SortBy::Column(Column::Age));
}

#[divan::bench(args = LADDER)]
fn filtered_by_port(bencher: Bencher<'_, '_>, sockets: u32) {
    arranged(bencher, sockets, "sport = :33000", SortBy::Default);
}

#[divan::bench(args = LADDER)]
fn filtered_by_text_that_few_have(bencher: Bencher<'_, '_>, sockets: u32) {
    arranged(bencher, sockets, "198.18.7", SortBy::Default);
}

#[divan::bench(args = LADDER)]
fn filtered_by_text_that_all_have(bencher: Bencher<'_, '_>, sockets: u32) {
    arranged(bencher, sockets, "443", SortBy::Default);
}

fn arranged(bencher: Bencher<'_, '_>, sockets: u32, filter: &str, by: SortBy) {
    let world = observation(sockets);
    let filter = Filter::parse(filter).unwrap();
    let sort = Sort { by, reverse: false };
    bencher.bench_local(|| select_rows(black_box(&world), &filter, &sort, &QuickFilter::default()));
}
