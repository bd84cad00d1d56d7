import BitplanKernels
import Foundation
import TestSupport
import Testing

@Suite("Stored order of codes")
struct InterleavedRowsTests {
    static let goldens = TestFiles.root.appending(path: "Tests/KernelsTests/Goldens")

    @Test(
        "equal to goldens written from the format's text by Scripts/goldens/make_interleaved_rows.py",
        arguments: ["1x1x1", "1x70x9", "2x130x8", "3x33x7", "4x64x12", "5x17x5", "8x40x6"])
    func golden(name: String) throws {
        let shape = name.split(separator: "x").compactMap { Int($0) }
        let (planes, rows, rowBytes) = (shape[0], shape[1], shape[2])
        let file = try Data(contentsOf: Self.goldens.appending(path: "interleaved-\(name).bin"))
        let body = file.drop { $0 != UInt8(ascii: "\n") }.dropFirst()
        let plain = Data(body.prefix(planes * rows * rowBytes))
        let stored = Data(body.dropFirst(planes * rows * rowBytes))
        #expect(stored.count == plain.count)
        #expect(InterleavedRows.stored(plain, planes: planes, rows: rows, rowBytes: rowBytes) == stored)
        #expect(InterleavedRows.plain(stored, planes: planes, rows: rows, rowBytes: rowBytes) == plain)
    }

    @Test("a permutation that is undone exactly, slices of larger data included")
    func inverse() {
        for planes in 1...8 {
            for (rows, rowBytes) in [(0, 3), (3, 0), (1, 4), (63, 5), (64, 64), (129, 31)] {
                let count = planes * rows * rowBytes
                let plain = Data((0..<count + 3).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 / 251) })[
                    3...]
                let stored = InterleavedRows.stored(plain, planes: planes, rows: rows, rowBytes: rowBytes)
                #expect(stored.sorted() == plain.sorted())
                #expect(
                    InterleavedRows.plain(stored, planes: planes, rows: rows, rowBytes: rowBytes) == plain)
            }
        }
    }
}
