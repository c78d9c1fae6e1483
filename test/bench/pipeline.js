/**
 * Sends what `next` gives until it gives null, so many requests on their way at a time; resolves once all are answered.
 *
 * @param connection a connection of any system's
 * @param {() => Buffer | null} next
 * @param {number} window
 */
export function pipelined(connection, next, window) {
  let waiting = 0;
  return new Promise((resolve) => {
    const send = (count) => {
      const requests = [];
      for (let left = count; left > 0; left--) {
        const request = next();
        if (request === null) break;
        requests.push(request);
      }
      waiting += requests.length;
      if (requests.length > 0) connection.write(Buffer.concat(requests));
      else if (waiting === 0) resolve();
    };
    connection.onFrame = (replies) => {
      waiting -= replies;
      send(replies);
    };
    send(window);
  });
}
