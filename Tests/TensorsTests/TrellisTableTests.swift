import BitplanTensors
import Testing

@Suite struct TrellisTableTests {
    @Test(arguments: 2...8)
    func levels(_ pairBits: Int) {
        let table = TrellisTable.pairBits(pairBits)
        #expect(table.high.count == 16 && table.low.count == 16)
        #expect((table.high + table.low).allSatisfy { $0 <= 63 })
        #expect((2 * table.offset).rounded() == 2 * table.offset && table.step > 0)
        for window in UInt8.min...UInt8.max {
            let sum = Float(table.high[Int(window) / 16]) + Float(table.low[Int(window) % 16])
            #expect(table.values[Int(window)] == table.step * (sum - table.offset))
        }
        // Levels of normal weights of variance 1: symmetric, a little wider.
        let mean = table.values.reduce(0, +) / 256
        let variance = table.values.reduce(0) { $0 + $1 * $1 } / 256
        #expect(abs(mean) < 0.15 && (0.7...2).contains(variance))
    }
}
