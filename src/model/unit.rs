//! The unit or container that a process runs in, and its manager.

use super::text::Text;

/// A unit of systemd, a container, or a control group that is neither.
///
/// Only the system's manager creates groups in the hierarchy down to its units.
/// The part below a unit is delegated: a user names groups there freely, so a
/// name is not reliable without its manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    display: Text,
    name: Text,
    /// Its kind.
    pub kind: UnitKind,
    /// Its manager.
    pub manager: UnitManager,
}

/// Kind of a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitKind {
    /// A service of systemd.
    Service,
    /// A socket of systemd: the helpers that open it and prepare it.
    Socket,
    /// Processes that were started elsewhere and registered there.
    Scope,
    /// A container, by the names of the common runtimes.
    Container,
    /// Any other control group.
    Cgroup,
}

/// Manager of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitManager {
    /// The system's: process 1.
    System,
    /// That of a user (`user@UID.service`), whose units have arbitrary names.
    User(u32),
    /// Unknown: the group is outside this program's cgroup namespace.
    Unknown,
}

impl Unit {
    /// A unit under its manager.
    #[must_use]
    pub fn new(name: &str, kind: UnitKind, manager: UnitManager) -> Self {
        let display = match manager {
            UnitManager::User(uid) => Text::from(format!("user@{uid}: {name}").as_str()),
            UnitManager::System | UnitManager::Unknown => Text::from(name),
        };
        Self {
            display,
            name: Text::from(name),
            kind,
            manager,
        }
    }

    /// Returns the unit with an unknown manager.
    #[must_use]
    pub fn with_unknown_manager(&self) -> Self {
        Self::new(self.name.as_str(), self.kind, UnitManager::Unknown)
    }

    /// Returns a unit of the system's manager; its kind is derived from its name.
    #[must_use]
    pub fn system(name: &str) -> Self {
        Self::new(
            name,
            unit_kind(name).unwrap_or(UnitKind::Cgroup),
            UnitManager::System,
        )
    }

    /// Its name, behind `user@UID:` if it is a user's.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.display.as_str()
    }

    /// The name as foreign text.
    #[must_use]
    pub fn text(&self) -> &Text {
        &self.display
    }

    /// True if processes in it belong to a container.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.kind == UnitKind::Container
    }

    /// Returns the command that stops a service or a socket unit, as text to read:
    /// nothing runs it.
    ///
    /// None for any other kind, and if the manager is
    /// unknown: the name of a user's own unit may be that of a service of the
    /// system. None, too, for a name that is no plain one.
    #[must_use]
    pub fn stop_command(&self) -> Option<String> {
        let name = self.name.as_str();
        let has_manager = matches!(self.kind, UnitKind::Service | UnitKind::Socket);
        let stoppable = has_manager && is_safe_in_shell(name);
        let name = shell_quoted(name);
        match self.manager {
            UnitManager::System => stoppable.then(|| format!("systemctl stop {name}")),
            UnitManager::User(uid) => {
                stoppable.then(|| format!("systemctl --user -M {uid}@ stop {name}"))
            }
            UnitManager::Unknown => None,
        }
    }
}

/// Returns the kind of a unit by its name; none for a unit without processes.
#[must_use]
pub fn unit_kind(name: &str) -> Option<UnitKind> {
    match name.rsplit_once('.')?.1 {
        "service" => Some(UnitKind::Service),
        "socket" => Some(UnitKind::Socket),
        "scope" => Some(UnitKind::Scope),
        _ => None,
    }
}

/// True if a name may be part of a command that is copied (systemd.unit(5) allows
/// these characters).
fn is_safe_in_shell(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@:._-\\".contains(&byte);
    name.bytes().all(plain) && !name.starts_with('-')
}

/// An unquoted backslash would be removed by the shell.
fn shell_quoted(name: &str) -> String {
    if name.contains('\\') {
        format!("'{name}'")
    } else {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_with_a_plain_name_and_a_known_manager_are_stopped() {
        let service = UnitKind::Service;
        let system = UnitManager::System;
        for (name, kind, manager, command) in [
            (
                "nginx.service",
                service,
                system,
                Some("systemctl stop nginx.service"),
            ),
            (
                "getty@tty1.service",
                service,
                system,
                Some("systemctl stop getty@tty1.service"),
            ),
            (
                "dev-disk\\x2dby.service",
                service,
                system,
                Some("systemctl stop 'dev-disk\\x2dby.service'"),
            ),
            (
                "sshd.service",
                service,
                UnitManager::User(2001),
                Some("systemctl --user -M 2001@ stop sshd.service"),
            ),
            ("sshd.service", service, UnitManager::Unknown, None),
            (
                "ssh.socket",
                UnitKind::Socket,
                system,
                Some("systemctl stop ssh.socket"),
            ),
            (
                "a\\x2db.socket",
                UnitKind::Socket,
                system,
                Some("systemctl stop 'a\\x2db.socket'"),
            ),
            ("a b.socket", UnitKind::Socket, system, None),
            ("session-3.scope", UnitKind::Scope, system, None),
            ("docker:0123456789ab", UnitKind::Container, system, None),
            ("mine", UnitKind::Cgroup, system, None),
            ("a;reboot.service", service, system, None),
            ("a'b.service", service, system, None),
            ("$(reboot).service", service, system, None),
            ("-a.service", service, system, None),
        ] {
            let unit = Unit::new(name, kind, manager);
            assert_eq!(unit.stop_command().as_deref(), command, "{name}");
        }
    }

    #[test]
    fn the_unit_of_a_user_shows_whose_it_is() {
        let unit = Unit::new("sshd.service", UnitKind::Service, UnitManager::User(2001));
        assert_eq!(unit.as_str(), "user@2001: sshd.service");
        assert_eq!(Unit::system("sshd.service").as_str(), "sshd.service");
    }
}
