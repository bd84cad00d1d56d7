import BitplanTensors

extension FeedbackPanel {
    /// Weighted least squares of the coefficients of each unit in turn, codes fixed; keeps only steps that
    /// lower the error once rounded. The gradient follows.
    func refit() {
        guard let stored = grid.storedCoefficient else { return }
        for unit in 0..<units {
            positionsOf[unit].withUnsafeBufferPointer { positions in
                expandBasis(unit, positions)
                moments.matrix.withUnsafeBufferPointer { matrix in
                    // A block of rows of H stays in the cache for all planes.
                    for start in stride(from: 0, to: size, by: 64) {
                        for plane in 0..<planes {
                            PanelProducts.multiply(
                                matrix.baseAddress!, size: size, rows: start..<min(start + 64, size),
                                positions: positions, vectors: basis + plane * size,
                                into: products + plane * size)
                        }
                    }
                }
                let steps = steps(unit, positions, stored: stored)
                for position in 0..<size {
                    var value = gradient[position]
                    for plane in 0..<planes { value -= products[plane * size + position] * steps[plane] }
                    gradient[position] = value
                }
            }
        }
        dequantize()
    }

    /// `table_p[code] - offset` of the unit's columns, side by side.
    private func expandBasis(_ unit: Int, _ positions: UnsafeBufferPointer<Int32>) {
        let levels = grid.levels
        let flat = UnsafeMutableRawPointer(basis).assumingMemoryBound(to: Float.self)
        grid.table.withUnsafeBufferPointer { table in
            for plane in 0..<planes {
                for index in 0..<positions.count {
                    let source = codes + Int(positions[index]) * Self.lanes
                    let target = flat + (plane * size + index) * Self.lanes
                    for lane in 0..<Self.lanes {
                        target[lane] =
                            table[plane * levels + Int(source[lane])] - offsets[lane * units + unit]
                    }
                }
            }
        }
    }

    /// Solves `B H B' step = B H (w - w^)` in each lane, adds the steps to the coefficients and returns them
    /// by plane.
    private func steps(
        _ unit: Int, _ positions: UnsafeBufferPointer<Int32>, stored: (Double) -> Float
    ) -> [Lanes] {
        var left = [[Double]](repeating: [], count: planes * planes)
        var right = [[Double]](repeating: [], count: planes)
        for row in 0..<planes {
            right[row] = dots(over: positions.count) { basis[row * size + $0] * gradient[Int(positions[$0])] }
            for column in 0...row {
                left[row * planes + column] = dots(over: positions.count) {
                    basis[row * size + $0] * products[column * size + Int(positions[$0])]
                }
                left[column * planes + row] = left[row * planes + column]
            }
        }
        var steps = [Lanes](repeating: Lanes(), count: planes)
        // At most 8 planes: their unknowns, and behind them the room for 8 x 8 factors.
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 72) { memory in
            let solution = UnsafeMutableBufferPointer(rebasing: memory[..<planes])
            let room = UnsafeMutableBufferPointer(rebasing: memory[8...])
            for lane in 0..<Self.lanes {
                solveSymmetric(size: planes, room: room, into: solution) { row, column in
                    left[row * planes + column][lane]
                } right: { row in
                    right[row][lane]
                }
                let base = (lane * units + unit) * planes
                var change = 0.0
                for plane in 0..<planes {
                    let old = coefficients[base + plane]
                    steps[plane][lane] = stored(Double(old) + solution[plane]) - old
                }
                for row in 0..<planes {
                    let step = Double(steps[row][lane])
                    change -= 2 * step * right[row][lane]
                    for column in 0..<planes {
                        change += step * Double(steps[column][lane]) * left[row * planes + column][lane]
                    }
                }
                if !(change < 0) {
                    for plane in 0..<planes { steps[plane][lane] = 0 }
                    continue
                }
                for plane in 0..<planes { coefficients[base + plane] += steps[plane][lane] }
            }
        }
        return steps
    }

    private func dots(over count: Int, _ term: (Int) -> Lanes) -> [Double] {
        var total = [Double](repeating: 0, count: Self.lanes)
        // Runs of 64 in single precision, runs together in double.
        for start in stride(from: 0, to: count, by: 64) {
            var sum = Lanes()
            for index in start..<min(start + 64, count) { sum += term(index) }
            for lane in 0..<Self.lanes { total[lane] += Double(sum[lane]) }
        }
        return total
    }
}
