import Foundation

/// How much memory this program can still take, as far as the system says: so that what does not fit is
/// refused in a line, before an allocation fails.
package enum AvailableMemory {
    /// Bytes that can still be taken: the least of what the address space's limit (`ulimit -v`), the control
    /// group and the machine leave; nil where the system says nothing.
    package static func bytes() -> Int? {
        [addressSpace(), controlGroup(), machine()].compactMap { $0 }.min()
    }

    /// Refuses what takes more memory than there is.
    ///
    /// - Throws: `FileError` about `file` that says how much `what` takes and how much is left.
    package static func check(_ needed: Int, for what: String, of file: URL) throws(FileError) {
        guard let left = bytes(), needed > left else { return }
        func megabytes(_ bytes: Int) -> Int { Int((Double(bytes) / 1e6).rounded(.up)) }
        throw FileError(
            file, "\(what) take \(megabytes(needed)) MB of memory, \(max(0, left / 1_000_000)) MB are left")
    }

    #if os(Linux)
        /// What RLIMIT_AS leaves.
        private static func addressSpace() -> Int? {
            var limit = rlimit()
            guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0,
                limit.rlim_cur < rlim_t(Int.max),
                let pages = text("/proc/self/statm")?.split(separator: " ").first.flatMap({ Int($0) })
            else { return nil }
            return Int(limit.rlim_cur) - pages * Int(sysconf(Int32(_SC_PAGESIZE)))
        }

        /// What the limit of the control group leaves (version 2).
        private static func controlGroup() -> Int? {
            guard let limit = number("/sys/fs/cgroup/memory.max"),
                let used = number("/sys/fs/cgroup/memory.current")
            else { return nil }
            // What the system keeps of files goes where programs need memory.
            let files = statistic("file ", in: "/sys/fs/cgroup/memory.stat") ?? 0
            return limit - used + files
        }

        /// `MemAvailable`.
        private static func machine() -> Int? {
            statistic("MemAvailable:", in: "/proc/meminfo").map { 1024 * $0 }
        }

        private static func text(_ path: String) -> String? {
            FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        }

        private static func number(_ path: String) -> Int? {
            text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        }

        /// The number behind `name` at the start of a line.
        private static func statistic(_ name: String, in path: String) -> Int? {
            text(path)?.split(separator: "\n").first { $0.hasPrefix(name) }?.dropFirst(name.count).split(
                separator: " "
            ).first.flatMap { Int($0) }
        }
    #else
        private static func addressSpace() -> Int? { nil }
        private static func controlGroup() -> Int? { nil }
        private static func machine() -> Int? { nil }
    #endif
}
