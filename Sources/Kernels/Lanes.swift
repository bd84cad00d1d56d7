import CBitplanKernels
import PlanFormat

/// Numbers of 16 rows side by side, as the kernels want scales: from (`rows`, `width`) to `[ceil(rows /
/// 16)][width][16]`.
func lanes(_ numbers: [Float], rows: Int, width: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: ceilDivide(rows, 16) * 16 * width) { buffer, count in
        bp_lanes(numbers, rows, width, buffer.baseAddress)
        count = ceilDivide(rows, 16) * 16 * width
    }
}

/// The segments of columns that share one activation scale; `group` columns share weight scales.
func segments(columns: Int, group: Int) -> [bp_segment] {
    [bp_segment](unsafeUninitializedCapacity: bp_segments(columns, group, nil)) { buffer, count in
        count = bp_segments(columns, group, buffer.baseAddress)
    }
}

/// Columns that share scales and how many such groups there are; nil is one group of all columns.
func groups(columns: Int, width: Int?) -> (width: Int, count: Int) {
    guard let width else { return (columns, 1) }
    return (min(width, columns), ceilDivide(columns, width))
}
