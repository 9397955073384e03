//! The findings that a row is part of, each with its evidence.

use super::{DetailsWriter, INDENT};
use crate::explain::findings::describe;
use crate::view::page::Page;
use ratatui::style::Style;

/// Writes a line for each, the most severe first, with its evidence if `reasons`
/// is true.
pub(super) fn write(writer: &DetailsWriter<'_>, reasons: bool, page: &mut Page) {
    let (row, app) = (writer.row, writer.app);
    let owners = || {
        let owners = app.observation.owners(row);
        owners.map(|(process, _)| process.pid)
    };
    let findings = app.observation.findings.iter();
    for finding in findings.filter(|finding| finding.is_about(row, owners())) {
        let said = describe(finding, app.messages);
        let severity = app.messages.screen("findings", finding.severity.word());
        let label = writer.word("finding");
        let line = format!("{severity}: {}", said.line);
        let style = writer.theme.severity(finding.severity);
        page.labelled(label, writer.theme.dim(), INDENT, &line, style);
        if reasons {
            page.labelled("", Style::new(), INDENT, &said.evidence, Style::new());
        }
    }
}
