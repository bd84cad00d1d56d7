import BitplanWorkflows
import Testing

/// Reading the memory that a program has had.
@Suite struct PeakMemoryTests {
    @Test(arguments: [("   50048", 51_249_152), (" 9999999", 10_239_998_976), ("10206876", 10_451_841_024)])
    func readsNumbersOfAnyLength(number: String, bytes: Int) {
        let status = "Name:\tbitplan\nVmPeak:\t99999999 kB\nVmHWM:\t\(number) kB\nVmRSS:\t   12345 kB\n"
        #expect(peakMemoryBytes(ofStatus: status) == bytes)
    }

    @Test func saysNothingWhereTheSystemDoesNot() {
        #expect(peakMemoryBytes(ofStatus: "Name:\tkthreadd\nState:\tS (sleeping)\n") == nil)
        #expect(peakMemoryBytes() > 0)
    }
}
