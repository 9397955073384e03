//! A program file as text, with the knowledge of the file behind the path.

use super::catalogue::Catalogue;
use super::template::render;
use crate::model::process::{Program, ProgramFile};

/// Returns the path, with a remark if it is not the file of that path here.
#[must_use]
pub fn program_text(program: &Program, words: &Catalogue) -> String {
    let path = &program.path;
    if program.file == ProgramFile::Verified {
        return path.to_string();
    }
    let sentence = words.screen("program_file", program.file.key());
    let told = render(sentence, |_| Some(path.to_string()));
    told.unwrap_or_else(|| program.display_path().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::catalogue::Language;
    use crate::model::process::OtherFileSystem;
    use crate::model::text::Text;

    #[test]
    fn a_path_that_proves_nothing_says_so() {
        let elsewhere = ProgramFile::OtherFileSystem(OtherFileSystem {
            in_other_user_namespace: true,
            path_exists_here: true,
        });
        for (file, english, chinese) in [
            (ProgramFile::Verified, "/x", "/x"),
            (
                ProgramFile::Deleted,
                "/x (deleted or replaced since it was started)",
                "/x（启动后已被删除或替换）",
            ),
            (
                elsewhere,
                "/x (in its own file system)",
                "/x（在其自己的文件系统中）",
            ),
            (
                ProgramFile::Unverified,
                "/x (file not verified)",
                "/x（文件未核实）",
            ),
        ] {
            let program = Program {
                path: Text::from("/x"),
                file,
            };
            let told = |language| program_text(&program, Catalogue::of(language));
            assert_eq!(told(Language::English), english);
            assert_eq!(told(Language::Chinese), chinese);
        }
    }
}
