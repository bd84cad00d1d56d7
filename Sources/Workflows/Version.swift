/// The version of the package: the one place that has it. The newest release of CHANGELOG.md is this one,
/// which `make check` verifies.
package let version = "0.1.0"

/// The program's name and version, as `--version`, plans and tables give them.
package let toolVersion = "bitplan \(version)"
