/// `value / divisor`, rounded up: how many pieces of `divisor` cover `value`.
@inlinable
package func ceilDivide(_ value: Int, _ divisor: Int) -> Int { (value + divisor - 1) / divisor }
