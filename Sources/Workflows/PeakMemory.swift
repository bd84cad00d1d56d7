import Foundation

/// The most memory that this process has had resident, in bytes; 0 where the system does not say.
public func peakMemoryBytes() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
        let unit = 1
        let isKnown = getrusage(RUSAGE_SELF, &usage) == 0
    #else
        let unit = 1024
        let isKnown = getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0
    #endif
    return isKnown ? usage.ru_maxrss * unit : 0
}
