// What servers have changed of themselves, until the user accepts it or not.

import { asApiError, call, type ApiError, type Quarantined } from '../backend';

class Pins {
  /** What waits for a decision. */
  waiting = $state<Quarantined[]>([]);
  problem = $state<ApiError | null>(null);

  async look(): Promise<void> {
    try {
      const { servers } = await call('pins.show', {});
      this.waiting = servers.flatMap(({ quarantined }) => quarantined).filter(({ refused }) => !refused);
    } catch (fault) {
      this.problem = asApiError(fault);
    }
  }

  /** Decides on what was shown, and on nothing that has taken its place since. */
  async decide({ server, name, digest }: Quarantined, accept: boolean): Promise<void> {
    this.problem = null;
    try {
      await call('pins.decide', { server, name, digest, accept });
    } catch (fault) {
      this.problem = asApiError(fault);
    }
    await this.look();
  }
}

export const pins = new Pins();
