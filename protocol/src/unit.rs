//! The unit of systemd that a process runs in.

use std::fs;

/// Returns the service that the process `pid` is in, as its cgroup is called; none when it is in none,
/// or cannot be seen.
#[must_use]
pub fn unit_of(pid: u32) -> Option<String> {
    in_cgroups(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// A daemon may have moved to a cgroup below that of its unit.
fn in_cgroups(cgroups: &str) -> Option<String> {
    let path = cgroups.lines().find_map(|line| {
        let (hierarchy, path) = line.split_once(':')?.1.split_once(':')?;
        ["", "name=systemd"].contains(&hierarchy).then_some(path).filter(|path| *path != "/")
    })?;
    let is_unit =
        |name: &&str| [".service", ".scope", ".slice"].iter().any(|end| name.ends_with(end));
    let unit = path.split('/').rfind(is_unit)?;
    // What is right below the one of all services of a user is none of them.
    (unit.ends_with(".service") && !unit.starts_with("user@")).then(|| unit.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_known_by_its_cgroup() {
        let user = "/user.slice/user-7.slice/user@7.service/app.slice/torcd.service";
        for (cgroups, expected) in [
            (format!("0::{user}\n"), Some("torcd.service")),
            (format!("0::{user}/workers/3\n"), Some("torcd.service")),
            (format!("4:memory:/\n1:name=systemd:{user}\n0::/\n"), Some("torcd.service")),
            ("0::/user.slice/user-7.slice/session-3.scope\n".to_owned(), None),
            ("0::/user.slice/user@7.service/app.slice/shell.scope/x\n".to_owned(), None),
            ("0::/user.slice/user@7.service/init\n".to_owned(), None),
            ("4:memory:/a.service\n0::/\n".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(in_cgroups(&cgroups).as_deref(), expected, "{cgroups}");
        }
    }
}
