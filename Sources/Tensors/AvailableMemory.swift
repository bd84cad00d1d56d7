import Foundation

/// The memory that this process may still have. Swift ends a program whose memory runs out with a crash
/// report, so that what is held for long is asked for before it is read.
package enum AvailableMemory {
    /// What the system says, as the files under `/proc` and `/sys/fs/cgroup` have it; nil for files that are
    /// not there.
    package struct System {
        /// `/proc/self/limits`.
        package var limits: String?
        /// `/proc/self/status`.
        package var status: String?
        /// `/proc/meminfo`.
        package var machine: String?
        /// `memory.max`, `memory.current` and `memory.stat` of the process's control group.
        package var group: (maximum: String?, current: String?, statistics: String?)

        /// What is known of the system.
        package init(
            limits: String? = nil, status: String? = nil, machine: String? = nil,
            group: (maximum: String?, current: String?, statistics: String?) = (nil, nil, nil)
        ) {
            self.limits = limits
            self.status = status
            self.machine = machine
            self.group = group
        }

        /// Bytes of the least of three: the limit of the address space (`ulimit -v`) less its size, the
        /// control group's limit less its use (the cache of files, which is given up on demand, does not
        /// count), and the machine's available memory with its swap.
        package var available: Int? {
            [addressSpace, controlGroup, machineMemory].compactMap { $0 }.min().map { max(0, $0) }
        }

        private var addressSpace: Int? {
            guard let limit = Self.number(limits, "Max address space"),
                let size = Self.number(status, "VmSize:")
            else { return nil }
            return limit - 1024 * size
        }

        private var controlGroup: Int? {
            guard let maximum = Self.number(group.maximum, ""), let current = Self.number(group.current, "")
            else { return nil }
            return maximum - current + (Self.number(group.statistics, "inactive_file ") ?? 0)
                + (Self.number(group.statistics, "active_file ") ?? 0)
        }

        private var machineMemory: Int? {
            guard let free = Self.number(machine, "MemAvailable:") else { return nil }
            return 1024 * (free + (Self.number(machine, "SwapFree:") ?? 0))
        }

        /// The first word behind `label`, which starts a line, as a number.
        private static func number(_ text: String?, _ label: String) -> Int? {
            guard let line = text?.split(separator: "\n").first(where: { $0.hasPrefix(label) }) else {
                return nil
            }
            return line.dropFirst(label.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
        }
    }

    /// Checks that `needed` bytes of weights can be held.
    ///
    /// - Throws: `FileError` about `file`, the weights, that says what is needed and what is there.
    package static func require(_ needed: Int, for file: URL) throws(FileError) {
        guard let available = system().available, available < needed else { return }
        throw FileError(
            file, "its weights need \(needed) bytes of memory, \(available) are available to this process")
    }

    private static func system() -> System {
        func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
        // Of the second version: `0::/path`; inside a container the path is `/`.
        let group = text("/proc/self/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::") }
        let directory = "/sys/fs/cgroup" + (group?.dropFirst(3) ?? "")
        return System(
            limits: text("/proc/self/limits"), status: text("/proc/self/status"),
            machine: text("/proc/meminfo"),
            group: (
                text(directory + "/memory.max"), text(directory + "/memory.current"),
                text(directory + "/memory.stat")
            ))
    }
}
