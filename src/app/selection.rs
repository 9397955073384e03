//! The selected row as text to copy.

use super::App;
use super::effect::Effect;
use crate::listing::{Column, cell};

/// Columns of a copied line, as TCPView writes a row.
const COPIED: [Column; 6] = [
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
            return self.nothing_selected();
        };
        let cells: Vec<String> = COPIED
            .iter()
            .map(|column| {
                cell(*column, row, &self.observation, self.numeric, self.words)
                    .text
                    .to_string()
            })
            .filter(|text| !text.is_empty())
            .collect();
        self.copied(cells.join(" "))
    }

    pub(super) fn copy_json(&mut self) -> Vec<Effect> {
        if self.selected().is_none() {
            return self.nothing_selected();
        }
        self.say(self.clipboard.key(), &[("text", "JSON".to_owned())]);
        vec![Effect::CopyJson]
    }

    fn copied(&mut self, text: String) -> Vec<Effect> {
        let shown: String = text.chars().take(60).collect();
        self.say(self.clipboard.key(), &[("text", shown)]);
        vec![Effect::Copy(text)]
    }

    pub(super) fn nothing_selected(&mut self) -> Vec<Effect> {
        self.say("no_row", &[]);
        Vec::new()
    }
}
