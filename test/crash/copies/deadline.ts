// `node --import <this file>`, after the clock's: deadlines follow the cloud's clock, as leases do. A step that is frozen while the
// clock passes its deadline gives its connections up, as it would have if the time had really gone by.
AbortSignal.timeout = (milliseconds: number): AbortSignal => {
  const controller = new AbortController();
  const until = Date.now() + milliseconds;
  const timer = setInterval(() => {
    if (Date.now() < until) return;
    clearInterval(timer);
    controller.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  }, 20);
  timer.unref();
  return controller.signal;
};
