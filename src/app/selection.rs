//! The selected row as text to copy.

use super::App;
use super::effect::Effect;
use crate::listing::{Column, cell};

/// Columns of a copied line, as TCPView writes a row.
const COPIED_COLUMNS: [Column; 6] = [
    Column::Process,
    Column::Pid,
    Column::Proto,
    Column::Local,
    Column::Remote,
    Column::State,
];

impl App {
    pub(super) fn copy_row(&mut self) -> Vec<Effect> {
        let Some(row) = self.selected() else {
            return self.notify_nothing_selected();
        };
        let cells: Vec<String> = COPIED_COLUMNS
            .iter()
            .map(|column| {
                cell(*column, row, &self.observation, self.numeric, self.messages)
                    .text
                    .to_string()
            })
            .filter(|text| !text.is_empty())
            .collect();
        self.copy_text(cells.join(" "))
    }

    pub(super) fn copy_json(&mut self) -> Vec<Effect> {
        if self.selected().is_none() {
            return self.notify_nothing_selected();
        }
        self.notify_key(self.clipboard.key(), &[("text", "JSON".to_owned())]);
        vec![Effect::CopyJson]
    }

    fn copy_text(&mut self, text: String) -> Vec<Effect> {
        let shown: String = text.chars().take(60).collect();
        self.notify_key(self.clipboard.key(), &[("text", shown)]);
        vec![Effect::Copy(text)]
    }

    pub(super) fn notify_nothing_selected(&mut self) -> Vec<Effect> {
        self.notify_key("no_row", &[]);
        Vec::new()
    }
}
