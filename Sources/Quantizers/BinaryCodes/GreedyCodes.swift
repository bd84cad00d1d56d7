import BitplanTensors
import PlanFormat

/// Greedy binary codes of one vector: `r = w; b_i = sign(r), alpha_i = mean |r|, r -= alpha_i b_i`, zero
/// mapping to +1.
///
/// - Complexity: O(columns * bits), one pass a plane.
/// - Source: Guo et al. 2017, algorithm 1; Chung et al. 2020, section 3.1.
struct GreedyCodes: ~Copyable {
    private let residual: UnsafeMutablePointer<SIMD16<Float>>
    private let wideCodes: UnsafeMutablePointer<SIMD16<UInt32>>

    /// Room for vectors of up to `columns` numbers.
    init(columns: Int) {
        residual = .allocate(capacity: ceilDivide(columns, 16))
        wideCodes = .allocate(capacity: ceilDivide(columns, 16))
    }

    deinit {
        residual.deallocate()
        wideCodes.deallocate()
    }

    /// Writes a code per weight and `bits` alphas, each already rounded to `type` when the next plane is
    /// chosen.
    func encode(
        _ weights: UnsafePointer<Float>, count: Int, bits: Int, type: Scheme.FloatType,
        codes: UnsafeMutablePointer<UInt8>, alphas: UnsafeMutablePointer<Float>
    ) {
        let whole = count / 16
        let tail = count % 16
        let signMask = SIMD16<UInt32>(repeating: 0x8000_0000)
        var sums = SIMD16<Float>()
        var tailSum = 0.0
        for block in 0..<whole {
            // Adding zero turns -0 into +0, whose sign bit says +1.
            let r =
                UnsafeRawPointer(weights + 16 * block).loadUnaligned(as: SIMD16<Float>.self) + SIMD16<Float>()
            residual[block] = r
            wideCodes[block] = SIMD16<UInt32>()
            sums += magnitudes(r)
        }
        if tail > 0 {
            var r = SIMD16<Float>()
            for lane in 0..<tail {
                r[lane] = weights[16 * whole + lane] + 0
                tailSum += Double(abs(r[lane]))
            }
            residual[whole] = r
            wideCodes[whole] = SIMD16<UInt32>()
        }

        for bit in 0..<bits {
            let alpha = type.rounded((total(sums) + tailSum) / Double(count))
            alphas[bit] = alpha
            let alphaPattern = SIMD16<UInt32>(repeating: alpha.bitPattern)
            let plane = SIMD16<UInt32>(repeating: 1 << UInt32(bit))
            sums = SIMD16<Float>()
            for block in 0..<whole {
                let pattern = unsafeBitCast(residual[block], to: SIMD16<UInt32>.self)
                let negative = pattern & signMask
                // All ones where the sign bit is clear.
                let positive = (negative &>> SIMD16<UInt32>(repeating: 31)) &- SIMD16<UInt32>(repeating: 1)
                wideCodes[block] |= positive & plane
                let r = residual[block] - unsafeBitCast(alphaPattern | negative, to: SIMD16<Float>.self)
                residual[block] = r
                sums += magnitudes(r)
            }
            if tail > 0 {
                tailSum = 0
                for lane in 0..<tail {
                    let r = residual[whole][lane]
                    if r >= 0 { wideCodes[whole][lane] |= 1 << UInt32(bit) }
                    let next = r >= 0 ? r - alpha : r + alpha
                    residual[whole][lane] = next
                    tailSum += Double(abs(next))
                }
            }
        }
        let flat = UnsafeRawPointer(wideCodes).assumingMemoryBound(to: UInt32.self)
        for column in 0..<count { codes[column] = UInt8(truncatingIfNeeded: flat[column]) }
    }

    @inline(__always)
    private func magnitudes(_ r: SIMD16<Float>) -> SIMD16<Float> {
        let pattern = unsafeBitCast(r, to: SIMD16<UInt32>.self) & SIMD16<UInt32>(repeating: 0x7FFF_FFFF)
        return unsafeBitCast(pattern, to: SIMD16<Float>.self)
    }

    @inline(__always)
    private func total(_ sums: SIMD16<Float>) -> Double {
        var total = 0.0
        for lane in 0..<16 { total += Double(sums[lane]) }
        return total
    }
}
