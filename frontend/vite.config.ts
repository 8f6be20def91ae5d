import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const API = 'http://localhost:8000';

export default defineConfig({
  plugins: [react()],
  resolve: { tsconfigPaths: true },
  server: {
    port: 3000,
    proxy: {
      '/api': API,
      '/predict': API,
      // The API compares Origin and Host: the host has to stay the page's own.
      '/ws': { target: API, ws: true, changeOrigin: false },
    },
  },
  test: {
    environment: 'node',
    setupFiles: ['src/testing/setup.ts'],
    restoreMocks: true,
    testTimeout: 10_000,
  },
});
