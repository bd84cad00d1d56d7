import Foundation

/// The most memory that this program has had resident, in bytes; 0 where the system does not say.
package func peakMemoryBytes() -> Int {
    #if os(Linux)
        // Not getrusage: there a program started by a larger one inherits that one's peak.
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(separator: " ").compactMap({ Int($0) }).first
        else { return 0 }
        return 1024 * kilobytes
    #else
        var usage = rusage()
        return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0
    #endif
}
