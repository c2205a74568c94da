// The two ends of a PRI port: PriRequester in the endpoint's thread, PriServant in the thread that plays the IOMMU's hardware.
// One writer a side, so an endpoint that loses its processor in between holds nobody up.
//
// Ordering. Record words are plain; these edges publish them.
//   [P] PriRequester.publish: records, then REQUEST_PROD    pairs with  [C] PriServant.peek: announce bit taken, REQUEST_PROD, then records
//   [R] PriServant.release: records, then REQUEST_CONS      pairs with  [F] PriRequester.claim: REQUEST_CONS, then records overwritten
//   [D] PriServant.publish: records, then RESPONSE_PROD     pairs with  [T] PriRequester.peek: RESPONSE_PROD, then records
//   [G] PriRequester.release: records, then RESPONSE_CONS   pairs with  [B] PriServant: RESPONSE_CONS, then records overwritten
//   [A] publish: announce bit, then the hardware doorbell   pairs with  the hardware host's sleep: PARKED, then its look for work
//   [W] PriServant.publish: RESPONSE_PROD, then the wake doorbell  pairs with  the endpoint's sleep: PARKED, then its look for responses
//   [S] claim: STARVED, then REQUEST_CONS again             pairs with  release: REQUEST_CONS, then STARVED
// [A], [W] and [S] are store-then-load on both sides: what was sent is never slept on, nor is room.

export { NO_RECORD, priPortDropped } from './pri-port-ends.ts';
export { PriRequester } from './pri-requester.ts';
export { PriServant } from './pri-servant.ts';
