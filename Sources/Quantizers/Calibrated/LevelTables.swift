/// The values that the levels of each unit stand for, sorted, for up to 16 rows at a time: once by row for
/// scalar search, once with the rows side by side for vector search.
final class LevelTables {
    static let lanes = 16

    private let grid: CodeGrid
    private let units: Int
    private let levels: Int
    /// By (lane, unit, level): sorted values; midpoints, one fewer; the level of each sorted value.
    private let values: UnsafeMutablePointer<Float>
    private let middles: UnsafeMutablePointer<Float>
    private let order: UnsafeMutablePointer<UInt8>
    /// By (unit, level): the same, rows side by side.
    private let valueLanes: UnsafeMutablePointer<SIMD16<UInt32>>
    private let middleLanes: UnsafeMutablePointer<SIMD16<Float>>

    init(_ grid: CodeGrid) {
        self.grid = grid
        units = grid.units
        levels = grid.levels
        values = .allocate(capacity: Self.lanes * units * levels)
        middles = .allocate(capacity: Self.lanes * units * levels)
        order = .allocate(capacity: Self.lanes * units * levels)
        valueLanes = .allocate(capacity: units * levels)
        middleLanes = .allocate(capacity: units * levels)
        values.initialize(repeating: 0, count: Self.lanes * units * levels)
        middles.initialize(repeating: 0, count: Self.lanes * units * levels)
        for unit in 0..<Self.lanes * units {
            for level in 0..<levels { order[unit * levels + level] = grid.ascending[level] }
        }
    }

    deinit {
        values.deallocate()
        middles.deallocate()
        order.deallocate()
        valueLanes.deallocate()
        middleLanes.deallocate()
    }

    /// Fills the tables from coefficients (lanes, units, planes) and offsets (lanes, units).
    func build(coefficients: UnsafePointer<Float>, offsets: UnsafePointer<Float>) {
        let planes = grid.planes
        withUnsafeTemporaryAllocation(of: Float.self, capacity: levels) { unsorted in
            for unit in 0..<Self.lanes * units {
                for level in 0..<levels {
                    var value: Float = 0
                    for plane in 0..<planes {
                        value +=
                            coefficients[unit * planes + plane]
                            * (grid.table[plane * levels + level] - offsets[unit])
                    }
                    unsorted[level] = value
                }
                let values = values + unit * levels
                let order = order + unit * levels
                // The order of the last coefficients is nearly right.
                for position in 0..<levels {
                    let level = order[position]
                    let value = unsorted[Int(level)]
                    var slot = position
                    while slot > 0, values[slot - 1] > value {
                        values[slot] = values[slot - 1]
                        order[slot] = order[slot - 1]
                        slot -= 1
                    }
                    values[slot] = value
                    order[slot] = level
                }
                for position in 0..<levels - 1 {
                    middles[unit * levels + position] =
                        values[position] + (values[position + 1] - values[position]) / 2
                }
            }
        }
        for unit in 0..<units {
            for level in 0..<levels {
                var value = SIMD16<Float>()
                var middle = SIMD16<Float>()
                for lane in 0..<Self.lanes {
                    value[lane] = values[(lane * units + unit) * levels + level]
                    middle[lane] = middles[(lane * units + unit) * levels + level]
                }
                valueLanes[unit * levels + level] = unsafeBitCast(value, to: SIMD16<UInt32>.self)
                middleLanes[unit * levels + level] = middle
            }
        }
    }

    /// The nearest value in each lane, and the level of each lane to `levels`.
    @inline(__always)
    func nearest(
        _ targets: SIMD16<Float>, unit: Int, levels chosen: UnsafeMutablePointer<UInt8>
    ) -> SIMD16<Float> {
        let middles = middleLanes + unit * levels
        let values = valueLanes + unit * levels
        var value = values[0]
        var position = SIMD16<Int32>()
        for level in 0..<levels - 1 {
            // The sign of the difference, spread over the lane, chooses without a branch.
            let above =
                unsafeBitCast(middles[level] - targets, to: SIMD16<Int32>.self)
                &>> SIMD16<Int32>(repeating: 31)
            let mask = unsafeBitCast(above, to: SIMD16<UInt32>.self)
            value ^= (value ^ values[level + 1]) & mask
            position &-= above
        }
        for lane in 0..<Self.lanes {
            chosen[lane] = order[(lane * units + unit) * levels + Int(position[lane])]
        }
        return unsafeBitCast(value, to: SIMD16<Float>.self)
    }

    /// The nearest value for one row, and its level.
    @inline(__always)
    func nearest(_ target: Float, lane: Int, unit: Int) -> (value: Float, level: UInt8) {
        let start = (lane * units + unit) * levels
        let middles = middles + start
        var low = 0
        var length = levels - 1
        while length > 0 {
            let half = length / 2
            let right = middles[low + half] < target
            low = right ? low + half + 1 : low
            length = right ? length - half - 1 : half
        }
        return (values[start + low], order[start + low])
    }
}
