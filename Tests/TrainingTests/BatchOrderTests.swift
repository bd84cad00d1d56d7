import BitplanTraining
import Testing

@Suite struct BatchOrderTests {
    /// Every pass reads every item once, in an order of its own; a step follows from its number.
    @Test(arguments: [(7, 3), (64, 64), (10, 16), (1, 4), (100, 33)])
    func everyPassReadsEveryItem(_ count: Int, _ size: Int) {
        let order = BatchOrder(count: count, seed: 5)
        let taken = min(size, count)
        let steps = (0..<count).flatMap { order.batch($0, size: size) }
        #expect(steps.count == count * taken)
        for pass in 0..<taken {
            #expect(Set(steps[pass * count..<(pass + 1) * count]).count == count)
        }
        #expect(order.batch(2, size: size) == BatchOrder(count: count, seed: 5).batch(2, size: size))
    }
}
