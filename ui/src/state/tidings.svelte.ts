// What was done, said once at the window's foot.

export interface Tiding {
  what: string;
  details: string[];
  problems: string[];
}

const SHOWN_MS = 8000;

class Tidings {
  latest = $state<Tiding | null>(null);
  #timer: number | undefined;

  /** Says it. What went wrong stays until it is dismissed. */
  tell(what: string, details: string[] = [], problems: string[] = []): void {
    window.clearTimeout(this.#timer);
    this.latest = { what, details, problems };
    if (problems.length === 0) this.#timer = window.setTimeout(() => this.dismiss(), SHOWN_MS);
  }

  dismiss(): void {
    window.clearTimeout(this.#timer);
    this.latest = null;
  }
}

export const tidings = new Tidings();
