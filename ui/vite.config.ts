import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [svelte()],
  build: {
    // The oldest web view Caisson runs in: Safari 16 (macOS 13); WebKitGTK and WebView2 are newer.
    target: 'safari16',
    // A file of its own for every style: the page's policy allows no inline ones.
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { port: 1420, strictPort: true },
});
