import BitplanTensors
import Foundation
import Testing

/// What the system's files say of memory.
@Suite struct AvailableMemoryTests {
    private let limits = """
        Limit                     Soft Limit           Hard Limit           Units
        Max cpu time              unlimited            unlimited            seconds
        Max address space         3000000              unlimited            bytes
        """
    private let machine =
        "MemTotal:  9000 kB\nMemFree:  100 kB\nMemAvailable:    2000 kB\nSwapFree:   500 kB\n"

    @Test func leastOfThreeLimits() {
        var system = AvailableMemory.System()
        #expect(system.available == nil)
        system.machine = machine
        #expect(system.available == 1024 * 2500)
        system.limits = limits
        system.status = "Name:\tbitplan\nVmPeak:\t 9999 kB\nVmSize:\t    1000 kB\n"
        #expect(system.available == 3_000_000 - 1_024_000)
        system.group = ("1000000\n", "900000\n", "anon 5\nfile 50\ninactive_file 30000\nactive_file 20000\n")
        #expect(system.available == 150_000)
        system.group = ("max\n", "900000\n", nil)
        system.limits = limits.replacingOccurrences(of: "3000000  ", with: "unlimited")
        #expect(system.available == 1024 * 2500)
        system.group = ("1000", "900000", nil)
        #expect(system.available == 0)
    }

    @Test func moreThanThereIsIsRefused() throws {
        let file = URL(filePath: "/model.safetensors")
        try AvailableMemory.require(1 << 20, for: file)
        let error = #expect(throws: FileError.self) { try AvailableMemory.require(1 << 50, for: file) }
        let text = error?.description ?? ""
        #expect(text.hasPrefix("/model.safetensors: its weights need 1125899906842624 bytes of memory, "))
        #expect(text.hasSuffix(" are available to this process"))
    }
}
