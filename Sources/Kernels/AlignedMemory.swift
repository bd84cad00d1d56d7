import CBitplanKernels
import Foundation
import PlanFormat

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Memory on a cache line's boundary, released with the object; large blocks ask Linux for huge pages.
///
/// Written once by its maker, then only read: that is what makes it safe to share.
final class AlignedMemory: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let byteCount: Int

    /// Zeroed memory of `byteCount` bytes, followed by at least 64 readable ones.
    init(byteCount: Int) {
        let huge = 1 << 21
        // A block, or the end of one, that huge pages would waste most of stays on small ones.
        let alignment = byteCount >= huge ? huge : 64
        let unit = (byteCount + 64) % huge > huge / 2 ? alignment : 64
        let size = ceilDivide(byteCount + 64, unit) * unit
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: alignment)
        #if os(Linux)
            // Advice only: a kernel without huge pages refuses it, and nothing changes.
            if alignment == huge { _ = madvise(memory, size / huge * huge, 14) }
        #endif
        memset(memory, 0, size)
        base = memory
        self.byteCount = byteCount
    }

    deinit { base.deallocate() }
}

/// Bytes on huge pages where they are large and the system has such pages: products that read from main
/// memory run up to 1.7 times as fast from them. For packed models that are read, not mapped.
package func alignedData(
    byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void
) rethrows -> Data {
    let memory = AlignedMemory(byteCount: byteCount)
    try fill(UnsafeMutableRawBufferPointer(start: memory.base, count: byteCount))
    // The closure keeps the memory alive as long as the data.
    return Data(
        bytesNoCopy: memory.base, count: byteCount,
        deallocator: .custom { _, _ in withExtendedLifetime(memory) {} })
}

/// Reads all of `memory` but its last bytes beyond a multiple of 256, and returns a number that depends on
/// them: the speed of memory, which benchmarks compare products with.
package func readThrough(_ memory: UnsafeRawBufferPointer, instructions: InstructionSet = .best) -> UInt32 {
    guard let base = memory.bindMemory(to: UInt8.self).baseAddress else { return 0 }
    return bp_read(instructions.code, base, memory.count / 256 * 256)
}

/// Gives memory that was freed back to the system, where it is kept otherwise: what reading large files
/// leaves behind.
package func returnFreedMemory() { bp_return_freed_memory() }
