import Foundation

/// The most memory that this program has had resident, in bytes; 0 where the system does not say.
package func peakMemoryBytes() -> Int {
    #if os(Linux)
        // Not getrusage: there a program started by a larger one inherits that one's peak.
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return 0 }
        return peakMemoryBytes(ofStatus: status) ?? 0
    #else
        var usage = rusage()
        return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0
    #endif
}

/// The peak that a `/proc/PID/status` of Linux gives, in bytes; nil where it gives none.
///
/// Numbers are padded to eight digits behind a tab, so that from 10 GB on no space stands before them.
package func peakMemoryBytes(ofStatus text: String) -> Int? {
    text.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }?
        .split(whereSeparator: \.isWhitespace).lazy.compactMap { Int($0) }.first.map { 1024 * $0 }
}
